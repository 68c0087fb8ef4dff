// Promotion, values, inference by kind, and views on strides; needs no kernel.
#include <cstring>
#include <vector>

#include "check.h"
#include "mlxk/error.h"
#include "mlxk/op.h"

using namespace mlxk;

namespace {

Edge array(Dims shape, Dtype dtype = Dtype::float32) {
  Dims strides = row_major(shape);
  return from_buffer(BufferRef(), 0, std::move(shape), std::move(strides), dtype);
}

const Op& known(const char* name, Kind kind, Domain domain = Domain::any,
                Result result = Result::same, bool condition = false) {
  if (const Op* found = find_op(name)) return *found;
  Op op;
  op.name = name;
  op.kind = kind;
  op.domain = domain;
  op.result = result;
  op.condition = condition;
  return register_op(op);
}

Edge binary(const char* name, const Edge& a, const Edge& b, Domain domain = Domain::any,
            Result result = Result::same) {
  const Edge inputs[2] = {a, b};
  return elementwise(known(name, Kind::elementwise, domain, result), inputs, 2, 0);
}

Edge moved(const char* name, const Edge& a, List params) {
  return movement(known(name, Kind::movement), a, Params(std::move(params)), 0);
}

// The flat indices a view shows, in order; empty text where a copy is needed.
std::string shown(const Layout& input, const char* name, List values) {
  const Params params(std::move(values));
  Edge from = array(input.shape, input.dtype);
  const MovementRule& rule = *movement_rule(name);
  Dims shape;
  Dtype dtype = input.dtype;
  rule.infer(from, params, &shape, &dtype);
  Layout out;
  if (!rule.view(input, params, shape, &out)) return "copy";
  std::string text = shape.str() + ":";
  std::vector<int64_t> index(shape.size(), 0);
  const int64_t count = element_count(shape);
  for (int64_t n = 0; n < count; ++n) {
    int64_t at = out.offset / static_cast<int64_t>(itemsize(out.dtype));
    for (size_t i = 0; i < shape.size(); ++i) at += index[i] * out.strides[i];
    text += " " + std::to_string(at);
    for (size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
  return text;
}

Layout plain(Dims shape, Dtype dtype = Dtype::float32) {
  Dims strides = row_major(shape);
  return {std::move(shape), std::move(strides), 0, dtype};
}

}  // namespace

TEST(promotion) {
  CHECK(promote(Dtype::uint64, Dtype::int64) == Dtype::float32);
  CHECK(promote(Dtype::complex64, Dtype::float64) == Dtype::complex64);
  CHECK(promote(Dtype::uint8, Dtype::int8) == Dtype::int16);
  CHECK(promote(Dtype::uint16, Dtype::int8) == Dtype::int32);
  CHECK(promote(Dtype::uint32, Dtype::int64) == Dtype::int64);
  CHECK(promote(Dtype::uint32, Dtype::int8) == Dtype::int64);
  CHECK(promote(Dtype::uint8, Dtype::int64) == Dtype::int64);
  CHECK(promote(Dtype::float16, Dtype::bfloat16) == Dtype::float32);
  CHECK(promote(Dtype::int64, Dtype::float16) == Dtype::float16);
  for (int a = 0; a < dtype_count; ++a) {
    for (int b = 0; b < dtype_count; ++b) {
      CHECK(promote(static_cast<Dtype>(a), static_cast<Dtype>(b)) ==
            promote(static_cast<Dtype>(b), static_cast<Dtype>(a)));
    }
  }
}

TEST(values_compare_by_bits) {
  CHECK(!(Value(0.0) == Value(-0.0)));
  CHECK(Value(NAN) == Value(NAN));
  CHECK(!(Value(1) == Value(1.0)));
  CHECK(!(Value(1) == Value(true)));
  CHECK(Value("ab") == Value(std::string("ab")));
  CHECK_EQ(Value("ab").hash(), Value(std::string("ab")).hash());
  const List list{Value(1),
                  Value(Dims{2, 3}),
                  Value("x"),
                  Value(0.1),
                  Value(Dtype::bfloat16),
                  Value(),
                  Value(std::complex<double>(1, -2))};
  CHECK(Value(list) == Value(list));
  CHECK_EQ(Value(list).str(), std::string("[1, (2, 3), 'x', 0.1, bfloat16, None, 1.0-2.0j]"));
  CHECK_THROWS(Error, "where string is meant", Value(1).string());
  CHECK(Params(list) == Params(list));
  CHECK_EQ(Params(list).hash(), Params(list).hash());
  CHECK(!(Params(list) == Params()));
}

TEST(shapes) {
  CHECK_EQ(Dims({2, 3}).str(), std::string("(2, 3)"));
  CHECK_EQ(Dims({2}).str(), std::string("(2,)"));
  CHECK_EQ(Dims().str(), std::string("()"));
  CHECK_EQ(element_count(Dims{0, int64_t{1} << 40, int64_t{1} << 40}), 0);
  CHECK_THROWS(Error, "2**62", element_count(Dims{int64_t{1} << 40, int64_t{1} << 40}));
  CHECK_THROWS(Error, "[shape] (0, -1) has a negative length.", element_count(Dims{0, -1}));
  CHECK_EQ(row_major(Dims{2, 3, 4}).str(), std::string("(12, 4, 1)"));
  CHECK_EQ(broadcast(Dims{3, 1}, Dims{2, 1, 4}, "f").str(), std::string("(2, 3, 4)"));
  CHECK_EQ(broadcast(Dims{1}, Dims{0}, "f").str(), std::string("(0,)"));
  CHECK_THROWS(Error, "[f] Shapes (2, 3) and (4,) cannot be broadcast.",
               broadcast(Dims{2, 3}, Dims{4}, "f"));
}

TEST(elementwise_casts_and_broadcasts) {
  Edge a = array(Dims{3, 1}, Dtype::int8);
  Edge b = array(Dims{4}, Dtype::float16);
  Edge c = binary("add", a, b);
  CHECK_EQ(c.shape().str(), std::string("(3, 4)"));
  CHECK(c.dtype() == Dtype::float16);
  CHECK_EQ(c.node()->inputs[0].node()->op, static_cast<OpId>(op_cast));
  CHECK(c.node()->inputs[1] == b);
  CHECK(binary("equal", a, b, Domain::any, Result::boolean).dtype() == Dtype::bool_);
  CHECK(binary("divide", a, a, Domain::inexact).dtype() == Dtype::float32);
  CHECK_THROWS(Error, "[bitwise_and] float16 is not supported.",
               binary("bitwise_and", a, b, Domain::integral));
  CHECK_THROWS(Error, "[add] Shapes (3, 1) and (2, 5) cannot be broadcast.",
               binary("add", a, array(Dims{2, 5})));
}

TEST(a_condition_takes_no_part_in_the_promotion) {
  const Op& select = known("where", Kind::elementwise, Domain::any, Result::same, true);
  const Edge inputs[3] = {array(Dims{3}, Dtype::float64), array(Dims{}, Dtype::int8),
                          array(Dims{}, Dtype::uint8)};
  Edge chosen = elementwise(select, inputs, 3, 0);
  CHECK(chosen.dtype() == Dtype::int16);
  CHECK(chosen.node()->inputs[0].dtype() == Dtype::bool_);
  CHECK_THROWS(Error, "2 arguments do not fit", elementwise(select, inputs, 2, 0));
}

TEST(constants_fold_their_casts) {
  Edge two = constant(2, 0, 2, Dtype::int32);
  Edge cast_two = cast(two, Dtype::float16, 0);
  CHECK(cast_two == constant(2, 0, 0, Dtype::float16));
  CHECK(cast(two, Dtype::int32, 0) == two);
  CHECK(cast(constant(-1, 0, -1, Dtype::int32), Dtype::uint8, 0) ==
        constant(0, 0, 255, Dtype::uint8));
  CHECK(cast(constant(0, 0, -1, Dtype::uint64), Dtype::float64, 0).node()->op == op_cast);
  CHECK(cast(constant(2.5, 0, 0, Dtype::float32), Dtype::int32, 0).node()->op == op_cast);
  CHECK(cast(constant(0.5, 0, 0, Dtype::float32), Dtype::bool_, 0) ==
        constant(1, 0, 1, Dtype::bool_));
}

TEST(reductions) {
  const Op& sum = known("sum", Kind::reduction, Domain::any, Result::sum);
  Edge x = array(Dims{2, 3, 4}, Dtype::int8);
  Edge y = reduction(sum, x, Dims{0, 2}, false, 0);
  CHECK_EQ(y.shape().str(), std::string("(3,)"));
  CHECK(y.dtype() == Dtype::int32);
  CHECK_EQ(reduction(sum, x, Dims{1}, true, 0).shape().str(), std::string("(2, 1, 4)"));
  CHECK_EQ(reduction(sum, x, Dims{0, 1, 2}, false, 0).shape().str(), std::string("()"));
  CHECK(reduction(sum, array(Dims{2}, Dtype::uint16), Dims{0}, false, 0).dtype() == Dtype::uint32);
  CHECK_THROWS(Error, "[sum] axes (3,) do not fit", reduction(sum, x, Dims{3}, false, 0));
  CHECK_THROWS(Error, "[sum] axes (1, 0) do not fit", reduction(sum, x, Dims{1, 0}, false, 0));
}

TEST(reshape_views) {
  CHECK_EQ(shown(plain(Dims{2, 3}), "reshape", {Dims{3, -1}}), std::string("(3, 2): 0 1 2 3 4 5"));
  Layout transposed{Dims{3, 2}, Dims{1, 3}, 0, Dtype::float32};
  CHECK_EQ(shown(transposed, "reshape", {Dims{6}}), std::string("copy"));
  CHECK_EQ(shown(transposed, "reshape", {Dims{3, 1, 2}}), std::string("(3, 1, 2): 0 3 1 4 2 5"));
  Layout half{Dims{2, 4}, Dims{8, 1}, 0, Dtype::float32};
  CHECK_EQ(shown(half, "reshape", {Dims{2, 2, 2}}), std::string("(2, 2, 2): 0 1 2 3 8 9 10 11"));
  CHECK_EQ(shown(plain(Dims{}), "reshape", {Dims{1, 1}}), std::string("(1, 1): 0"));
  Layout none{Dims{0, 3, 2}, Dims{5, 1, 3}, 0, Dtype::float32};
  CHECK_EQ(shown(none, "reshape", {Dims{6, 0}}), std::string("(6, 0):"));
  CHECK_EQ(shown(plain(Dims{2, 3, 4}), "flatten", {1, -1}).substr(0, 8), std::string("(2, 12):"));
  CHECK_EQ(shown(plain(Dims{6}), "unflatten", {0, Dims{2, -1}}).substr(0, 7),
           std::string("(2, 3):"));
  CHECK_THROWS(Error, "does not fit the shape (4, -1)",
               shown(plain(Dims{2, 3}), "reshape", {Dims{4, -1}}));
  CHECK_THROWS(Error, "more than one -1", shown(plain(Dims{6}), "reshape", {Dims{-1, -1}}));
  CHECK_THROWS(Error, "negative length", shown(plain(Dims{6}), "reshape", {Dims{-2, 3}}));
  CHECK_THROWS(Error, "does not fit",
               shown(plain(Dims{0}), "reshape", {Dims{int64_t{1} << 62, 8, -1}}));
}

TEST(axis_views) {
  CHECK_EQ(shown(plain(Dims{2, 3}), "transpose", {Dims{1, 0}}), std::string("(3, 2): 0 3 1 4 2 5"));
  CHECK_EQ(shown(plain(Dims{2}), "expand_dims", {Dims{0, -1}}), std::string("(1, 2, 1): 0 1"));
  CHECK_EQ(shown(plain(Dims{1, 2, 1}), "squeeze", {Dims{0, 2}}), std::string("(2,): 0 1"));
  CHECK_EQ(shown(plain(Dims{2, 1}), "broadcast_to", {Dims{2, 2, 3}}),
           std::string("(2, 2, 3): 0 0 0 1 1 1 0 0 0 1 1 1"));
  CHECK_EQ(shown(plain(Dims{2, 3}), "diagonal", {1, 0, 1}), std::string("(2,): 1 5"));
  CHECK_EQ(shown(plain(Dims{2, 3}), "diagonal", {-1, 0, 1}), std::string("(1,): 3"));
  CHECK_EQ(shown(plain(Dims{2, 3}), "diagonal", {7, 0, 1}), std::string("(0,):"));
  CHECK_THROWS(Error, "twice", shown(plain(Dims{2, 3}), "transpose", {Dims{1, 1}}));
  CHECK_THROWS(Error, "[squeeze] axis 0 of the shape (2, 3) has length 2, not 1.",
               shown(plain(Dims{2, 3}), "squeeze", {Dims{0}}));
  CHECK_THROWS(Error, "out of range", shown(plain(Dims{2, 3}), "squeeze", {Dims{2}}));
  CHECK_THROWS(Error, "cannot be broadcast", shown(plain(Dims{2, 3}), "broadcast_to", {Dims{3}}));
}

TEST(views_of_many_axes) {
  std::vector<int64_t> sizes(20, 1), back;
  sizes[0] = 2;
  sizes[19] = 3;
  for (int64_t i = 20; i-- > 0;) back.push_back(i);
  const Edge x = array(Dims(sizes.data(), 20));
  const Edge y = moved("transpose", x, {Dims(back.data(), 20)});
  CHECK_EQ(y.shape()[0], 3);
  CHECK_EQ(y.shape()[19], 2);
  CHECK_EQ(moved("squeeze", x, {Dims(back.data() + 1, 18)}).shape().str(), std::string("(2, 3)"));
  CHECK_EQ(moved("reshape", x, {Dims{-1}}).shape().str(), std::string("(6,)"));
}

TEST(integers_given_to_movements) {
  const auto given = [](const char* name, const Dims& shape, const Dims* integers) {
    Params params;
    if (!movement_rule(name)->given(shape, integers, &params)) return std::string("other");
    return params[0].str();
  };
  const Dims none, two{0, -1}, one{-1}, order{2, 0, -2}, twice{0, -3}, far{3}, all{-3, 1, 0};
  const Dims shape{1, 2, 1};
  CHECK_EQ(given("reshape", shape, &two), std::string("(0, -1)"));
  CHECK_EQ(given("reshape", shape, nullptr), std::string("other"));
  CHECK_EQ(given("transpose", shape, nullptr), std::string("(2, 1, 0)"));
  CHECK_EQ(given("transpose", shape, &order), std::string("(2, 0, 1)"));
  CHECK_EQ(given("transpose", shape, &all), std::string("other"));
  CHECK_EQ(given("transpose", shape, &two), std::string("other"));
  CHECK_EQ(given("expand_dims", shape, &two), std::string("(0, 4)"));
  CHECK_EQ(given("expand_dims", shape, &far), std::string("(3,)"));
  CHECK_EQ(given("expand_dims", shape, &none), std::string("other"));
  CHECK_EQ(given("squeeze", shape, &one), std::string("(2,)"));
  CHECK_EQ(given("squeeze", shape, &two), std::string("(0, 2)"));
  CHECK_EQ(given("squeeze", shape, &twice), std::string("other"));
  CHECK_EQ(given("squeeze", shape, &far), std::string("other"));
  CHECK_EQ(given("squeeze", Dims{2}, &one), std::string("other"));
  CHECK_EQ(given("broadcast_to", shape, &shape), std::string("other"));
  CHECK_EQ(given("broadcast_to", shape, &one), std::string("other"));
  CHECK_EQ(given("broadcast_to", Dims{1}, &far), std::string("(3,)"));
}

TEST(nodes_along_an_axis) {
  const Op& search = known("test_search", Kind::structural, Domain::inexact, Result::index);
  Edge made;
  CHECK(along(search, array(Dims{2, 3}), Dims{2}, Params::of(1), 0, &made));
  CHECK_EQ(made.shape().str(), std::string("(2,)"));
  CHECK(made.dtype() == Dtype::uint32);
  CHECK(!along(search, array(Dims{2, 3}, Dtype::int8), Dims{2}, Params::of(1), 0, &made));
}

TEST(slice_views) {
  CHECK_EQ(shown(plain(Dims{3, 4}), "slice", {Dims{0, 1}, Dims{3, 4}, Dims{2, 2}}),
           std::string("(2, 2): 1 3 9 11"));
  CHECK_EQ(shown(plain(Dims{4}), "slice", {Dims{3}, Dims{-1}, Dims{-1}}),
           std::string("(4,): 3 2 1 0"));
  CHECK_EQ(shown(plain(Dims{4}), "slice", {Dims{2}, Dims{2}, Dims{1}}), std::string("(0,):"));
  CHECK_EQ(shown(plain(Dims{4}), "slice", {Dims{3}, Dims{0}, Dims{INT64_MIN}}),
           std::string("(1,): 3"));
  CHECK_THROWS(Error, "lies outside axis 0",
               shown(plain(Dims{4}), "slice", {Dims{0}, Dims{5}, Dims{1}}));
  CHECK_THROWS(Error, "lies outside axis 0",
               shown(plain(Dims{4}), "slice", {Dims{0}, Dims{4}, Dims{0}}));
}

TEST(byte_views) {
  CHECK_EQ(shown(plain(Dims{2, 2}), "view", {Dtype::int16}),
           std::string("(2, 4): 0 1 2 3 4 5 6 7"));
  CHECK_EQ(shown(plain(Dims{2, 4}, Dtype::int8), "view", {Dtype::float32}),
           std::string("(2, 1): 0 1"));
  Layout column{Dims{2, 2}, Dims{1, 2}, 0, Dtype::float32};
  CHECK_EQ(shown(column, "view", {Dtype::int16}), std::string("copy"));
  CHECK_EQ(shown(column, "view", {Dtype::int32}), std::string("(2, 2): 0 2 1 3"));
  CHECK_THROWS(Error, "whole items", shown(plain(Dims{3}, Dtype::int8), "view", {Dtype::int16}));
  CHECK_THROWS(Error, "another size", shown(plain(Dims{}), "view", {Dtype::int16}));
  CHECK_EQ(shown(plain(Dims{4}), "as_strided", {Dims{3, 2}, Dims{1, 1}, 0}),
           std::string("(3, 2): 0 1 1 2 2 3"));
  CHECK_EQ(shown(plain(Dims{4}), "as_strided", {Dims{4}, Dims{-1}, 3}),
           std::string("(4,): 3 2 1 0"));
  CHECK_THROWS(Error, "reaches outside",
               shown(plain(Dims{4}), "as_strided", {Dims{3, 2}, Dims{2, 1}, 0}));
  CHECK_THROWS(Error, "reaches outside",
               shown(plain(Dims{4}), "as_strided", {Dims{1}, Dims{1}, -1}));
  CHECK_EQ(shown(column, "contiguous", {false}), std::string("copy"));
  CHECK_EQ(shown(column, "contiguous", {true}), std::string("(2, 2): 0 2 1 3"));
}

TEST(the_registry_refuses) {
  known("add", Kind::elementwise);
  Op op;
  op.name = "add";
  op.kind = Kind::elementwise;
  CHECK_THROWS(Error, "an op named add exists", register_op(op));
  op.name = "no_such_formula";
  CHECK_THROWS(Error, "no scalar formula", register_op(op));
  op.kind = Kind::movement;
  CHECK_THROWS(Error, "no movement rule", register_op(op));
  op.name = "cast";
  op.kind = Kind::cast;
  op.param_names = {"dtype"};
  CHECK_EQ(register_op(op).id, static_cast<OpId>(op_cast));
  CHECK_THROWS(Error, "no op has the id", mlxk::op(60000));
  CHECK_THROWS(Error, "0 parameters do not fit", moved("reshape", array(Dims{2}), {}));
}

TEST_MAIN()
