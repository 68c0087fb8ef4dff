#include "graph/registry.h"

#include <cstring>
#include <unordered_map>

#include "mlxk/error.h"
#include "mlxk/kernel.h"

namespace mlxk {

namespace {

char dtype_class(Dtype d) {
  if (d == Dtype::bool_) return 'B';
  if (is_unsigned(d)) return 'U';
  if (is_signed_int(d)) return 'I';
  return is_floating(d) ? 'F' : 'C';
}

Dtype computed(Domain domain, Dtype d) {
  switch (domain) {
    case Domain::any:
    case Domain::real:
    case Domain::integral: return d;
    case Domain::numeric: return d == Dtype::bool_ ? Dtype::int32 : d;
    case Domain::inexact: return is_inexact(d) ? d : Dtype::float32;
    case Domain::boolean: return Dtype::bool_;
    case Domain::complex: return Dtype::complex64;
  }
  return d;
}

Dtype summed(Dtype d) {
  if (d == Dtype::bool_ || d == Dtype::int8 || d == Dtype::int16) return Dtype::int32;
  if (d == Dtype::uint8 || d == Dtype::uint16) return Dtype::uint32;
  return d;
}

// Inputs of a reduction are cast to the computed dtype, so that a kernel sums in the dtype of its
// result.
void fill_rules(OpRecord* op) {
  const char* classes = nullptr;
  if (op->kind == Kind::elementwise && op->scalar != no_formula) {
    classes = scalar_formula(op->scalar).classes;
  }
  for (int i = 0; i < dtype_count; ++i) {
    const Dtype d = static_cast<Dtype>(i);
    Dtype compute = computed(op->domain, d);
    bool accepts = true;
    if (op->domain == Domain::real && is_complex(d)) accepts = false;
    if (op->domain == Domain::integral && is_inexact(d)) accepts = false;
    if (op->result == Result::sum) compute = summed(compute);
    // Shifts have no formula on bool: its bit moves in a byte.
    if (op->domain == Domain::integral && d == Dtype::bool_ && classes &&
        !std::strchr(classes, dtype_class(d))) {
      compute = Dtype::uint8;
    }
    if (classes && !std::strchr(classes, dtype_class(compute))) accepts = false;
    Dtype result = compute;
    if (op->result == Result::boolean) result = Dtype::bool_;
    if (op->result == Result::real && is_complex(compute)) result = Dtype::float32;
    if (op->result == Result::index) result = Dtype::uint32;
    op->compute[i] = compute;
    op->result_of[i] = result;
    op->accepts[i] = accepts;
  }
}

struct Registry {
  std::vector<OpRecord*> ops;
  std::unordered_map<std::string, OpId> by_name;

  Registry() {
    add("constant", Kind::constant);
    add("data", Kind::data);
    add("placeholder", Kind::placeholder);
    add("cast", Kind::cast);
    add("call", Kind::call);
    add("trace_leaf", Kind::movement);
  }

  void add(const char* name, Kind kind) {
    Op op;
    op.name = name;
    op.kind = kind;
    insert(std::move(op));
  }

  const Op& insert(Op op) {
    op.scalar = no_formula;
    if (op.kind == Kind::elementwise) {
      op.scalar = scalar_formula(op.name.c_str());
      if (op.scalar == no_formula) {
        raise(ErrorKind::value, "[register_op] no scalar formula is named %s.", op.name.c_str());
      }
      const int arity = scalar_formula(op.scalar).arity;
      if (op.arity && op.arity != arity) {
        raise(ErrorKind::value, "[register_op] the formula of %s takes %d arguments, not %d.",
              op.name.c_str(), arity, op.arity);
      }
      op.arity = static_cast<uint8_t>(arity);
    }
    if (op.kind == Kind::movement) {
      const MovementRule* rule = movement_rule(op.name.c_str());
      if (!rule) {
        raise(ErrorKind::value, "[register_op] no movement rule is named %s.", op.name.c_str());
      }
      op.movement = static_cast<uint16_t>(rule - &movement_rule(uint16_t{0}));
    }
    if (ops.size() >= 0xffff) raise(ErrorKind::runtime, "[register_op] too many ops.");
    op.id = static_cast<OpId>(ops.size());
    auto* entry = new OpRecord;  // lives as long as the process: nodes name it by id
    static_cast<Op&>(*entry) = std::move(op);
    fill_rules(entry);
    ops.push_back(entry);
    by_name.emplace(entry->name, entry->id);
    return *entry;
  }
};

Registry& registry() {
  static Registry* const all = new Registry;
  return *all;
}

}  // namespace

const Op& register_op(Op op) {
  Registry& all = registry();
  const auto found = all.by_name.find(op.name);
  if (found == all.by_name.end()) return all.insert(std::move(op));
  OpRecord& known = *all.ops[found->second];
  const bool builtin = known.id <= op_trace_leaf;
  if (known.face || known.kind != op.kind || (!builtin && !op.face)) {
    raise(ErrorKind::value, "[register_op] an op named %s exists.", op.name.c_str());
  }
  op.id = known.id;
  op.scalar = known.scalar;
  op.movement = known.movement;
  op.arity = known.arity;
  static_cast<Op&>(known) = std::move(op);
  fill_rules(&known);
  return known;
}

const Op& op(OpId id) {
  const Registry& all = registry();
  if (id >= all.ops.size()) raise(ErrorKind::value, "[op] no op has the id %d.", id);
  return *all.ops[id];
}

const Op* find_op(const char* name) {
  const Registry& all = registry();
  const auto found = all.by_name.find(name);
  return found == all.by_name.end() ? nullptr : all.ops[found->second];
}

size_t op_count() { return registry().ops.size(); }

}  // namespace mlxk
