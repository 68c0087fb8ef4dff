#include "mlxk/value.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "graph/blocks.h"
#include "mlxk/error.h"

namespace mlxk {

namespace {

const char* tag_name(Value::Tag tag) {
  constexpr const char* names[] = {"none", "bool",   "int",  "float", "complex", "dtype",
                                   "dims", "string", "list", "graph", "opaque"};
  return names[static_cast<int>(tag)];
}

void expect(Value::Tag wanted, Value::Tag found) {
  if (wanted != found) {
    raise(ErrorKind::runtime, "[value] a parameter is %s where %s is meant.", tag_name(found),
          tag_name(wanted));
  }
}

size_t mix(size_t seed, size_t value) {
  // The multiplier is the odd number nearest to 2**64 / golden ratio.
  value = (value ^ (seed >> 29)) * 0x9e3779b97f4a7c15ull;
  return (seed * 0x9e3779b97f4a7c15ull) ^ (value ^ (value >> 32));
}

// The shortest text that reads back as the same double, and always as a float: "1.0", "inf",
// "-0.0".
std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  if (!std::strpbrk(text, ".e")) std::strcat(text, ".0");
  return text;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (unsigned char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    if (c < 32) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", c);
      out += escape;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + "'";
}

}  // namespace

Value::Value(std::complex<double> v)
    : tag_(Tag::complex), heap_(std::make_shared<const std::complex<double>>(v)) {}
Value::Value(std::string v)
    : tag_(Tag::string), heap_(std::make_shared<const std::string>(std::move(v))) {}
Value::Value(List v) : tag_(Tag::list), heap_(std::make_shared<const List>(std::move(v))) {}
Value::Value(std::shared_ptr<const Graph> v)
    : tag_(Tag::graph), heap_(std::make_shared<const std::shared_ptr<const Graph>>(std::move(v))) {}
Value::Value(std::shared_ptr<Opaque> v)
    : tag_(Tag::opaque), heap_(std::make_shared<const std::shared_ptr<Opaque>>(std::move(v))) {}

bool Value::boolean() const {
  expect(Tag::boolean, tag_);
  return bits_.integer != 0;
}

int64_t Value::integer() const {
  expect(Tag::integer, tag_);
  return bits_.integer;
}

double Value::real() const {
  if (tag_ == Tag::integer) return static_cast<double>(bits_.integer);
  expect(Tag::real, tag_);
  return bits_.real;
}

std::complex<double> Value::complex() const {
  expect(Tag::complex, tag_);
  return *static_cast<const std::complex<double>*>(heap_.get());
}

Dtype Value::dtype() const {
  expect(Tag::dtype, tag_);
  return static_cast<Dtype>(bits_.integer);
}

const Dims& Value::dims() const {
  expect(Tag::dims, tag_);
  return dims_;
}

const std::string& Value::string() const {
  expect(Tag::string, tag_);
  return *static_cast<const std::string*>(heap_.get());
}

const List& Value::list() const {
  expect(Tag::list, tag_);
  return *static_cast<const List*>(heap_.get());
}

const std::shared_ptr<const Graph>& Value::graph() const {
  expect(Tag::graph, tag_);
  return *static_cast<const std::shared_ptr<const Graph>*>(heap_.get());
}

const std::shared_ptr<Opaque>& Value::opaque() const {
  expect(Tag::opaque, tag_);
  return *static_cast<const std::shared_ptr<Opaque>*>(heap_.get());
}

bool Value::operator==(const Value& other) const {
  if (tag_ != other.tag_) return false;
  switch (tag_) {
    case Tag::none: return true;
    case Tag::boolean:
    case Tag::integer:
    case Tag::real:
    case Tag::dtype: return bits_.integer == other.bits_.integer;
    case Tag::dims: return dims_ == other.dims_;
    case Tag::complex:
      return std::memcmp(heap_.get(), other.heap_.get(), sizeof(std::complex<double>)) == 0;
    case Tag::string: return string() == other.string();
    case Tag::list: return heap_ == other.heap_ || list() == other.list();
    case Tag::graph: return graph() == other.graph();
    case Tag::opaque: return opaque() == other.opaque() || opaque()->equals(*other.opaque());
  }
  return false;
}

size_t Value::hash() const {
  size_t seed = static_cast<size_t>(tag_);
  switch (tag_) {
    case Tag::none: break;
    case Tag::boolean:
    case Tag::integer:
    case Tag::real:
    case Tag::dtype: seed = mix(seed, static_cast<size_t>(bits_.integer)); break;
    case Tag::dims:
      for (int64_t v : dims_) seed = mix(seed, static_cast<size_t>(v));
      break;
    case Tag::complex: {
      size_t words[2];
      std::memcpy(words, heap_.get(), sizeof words);
      seed = mix(mix(seed, words[0]), words[1]);
      break;
    }
    case Tag::string: seed = mix(seed, std::hash<std::string>()(string())); break;
    case Tag::list:
      for (const Value& v : list()) seed = mix(seed, v.hash());
      break;
    case Tag::graph: seed = mix(seed, reinterpret_cast<size_t>(graph().get())); break;
    case Tag::opaque: seed = mix(seed, opaque()->hash()); break;
  }
  return seed;
}

std::string Value::str() const {
  switch (tag_) {
    case Tag::none: return "None";
    case Tag::boolean: return bits_.integer ? "True" : "False";
    case Tag::integer: return std::to_string(bits_.integer);
    case Tag::real: return real_text(bits_.real);
    case Tag::complex: {
      const std::complex<double> z = complex();
      const std::string imaginary = real_text(z.imag());
      const bool sign = imaginary[0] == '-';
      return real_text(z.real()) + (sign ? "" : "+") + imaginary + "j";
    }
    case Tag::dtype: return name(static_cast<Dtype>(bits_.integer));
    case Tag::dims: return dims_.str();
    case Tag::string: return quoted(string());
    case Tag::list: {
      std::string text = "[";
      for (const Value& v : list()) {
        if (text.size() > 1) text += ", ";
        text += v.str();
      }
      return text + "]";
    }
    case Tag::graph: return "<graph>";
    case Tag::opaque: return opaque()->str();
  }
  return "";
}

Params::Block* Params::allocate(size_t count) {
  Block* block = new (take_block(sizeof(Block) + count * sizeof(Value)))
      Block{1, static_cast<uint32_t>(count)};
  std::uninitialized_default_construct_n(block->values(), count);
  return block;
}

void Params::release(Block* block) noexcept {
  const size_t count = block->count;
  std::destroy_n(block->values(), count);
  block->~Block();
  give_block(block, sizeof(Block) + count * sizeof(Value));
}

bool Params::operator==(const Params& other) const {
  if (block_ == other.block_) return true;
  if (size() != other.size()) return false;
  return size() == 0 || std::equal(&(*this)[0], &(*this)[0] + size(), &other[0]);
}

size_t Params::hash() const {
  size_t seed = size();
  for (size_t i = 0; i < size(); ++i) seed = mix(seed, (*this)[i].hash());
  return seed;
}

}  // namespace mlxk
