// The movement ops: one entry a name, with its inference and its view on strides.
//
// A view that does not exist on the input's strides always exists on a row-major copy of it: what
// lowering falls back to.
#include <algorithm>
#include <cstring>
#include <vector>

#include "mlxk/error.h"
#include "mlxk/op.h"

namespace mlxk {

namespace {

// A list of lengths, strides or axes that is being made; up to 16 stay off the heap.
class Lengths {
 public:
  Lengths() = default;
  explicit Lengths(size_t count, int64_t value = 0) {
    make_room(count);
    std::fill_n(values_, count, value);
    size_ = count;
  }
  Lengths(const int64_t* first, const int64_t* last) { append(first, last); }
  Lengths(const Lengths& other) { append(other.begin(), other.end()); }
  Lengths& operator=(const Lengths&) = delete;
  void push_back(int64_t value) {
    if (size_ == room_) make_room(2 * room_);
    values_[size_++] = value;
  }
  void append(const int64_t* first, const int64_t* last) {
    const size_t count = last - first;
    if (size_ + count > room_) make_room(size_ + count);
    std::copy(first, last, values_ + size_);
    size_ += count;
  }
  int64_t& operator[](size_t i) { return values_[i]; }
  int64_t operator[](size_t i) const { return values_[i]; }
  int64_t& back() { return values_[size_ - 1]; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + size_; }
  const int64_t* data() const { return values_; }
  size_t size() const { return size_; }

 private:
  void make_room(size_t room) {
    if (room <= room_) return;
    std::vector<int64_t> more(room);
    std::copy(begin(), end(), more.begin());
    many_.swap(more);
    values_ = many_.data();
    room_ = room;
  }
  static constexpr size_t few = 16;
  int64_t few_[few];
  std::vector<int64_t> many_;
  int64_t* values_ = few_;
  size_t size_ = 0;
  size_t room_ = few;
};
Dims to_dims(const Lengths& values) { return Dims(values.data(), values.size()); }
long long ll(int64_t v) { return static_cast<long long>(v); }

int64_t axis_of(int64_t axis, int64_t ndim, const char* function) {
  if (axis < -ndim || axis >= ndim) {
    raise(ErrorKind::value, "[%s] axis %lld is out of range for an array with %lld dimensions.",
          function, ll(axis), ll(ndim));
  }
  return axis < 0 ? axis + ndim : axis;
}

// Axes that are given counted from the front and, where that is asked, ascending. False where one
// is not among ndim, or named twice.
bool counted_axes(const Dims& given, int64_t ndim, bool ascending, Dims* out) {
  constexpr int64_t most = 64;
  int64_t axes[most];
  uint64_t named = 0;
  const int64_t count = static_cast<int64_t>(given.size());
  if (ndim > most || count > ndim) return false;
  bool as_given = true;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t axis = given[i] < 0 ? given[i] + ndim : given[i];
    if (axis < 0 || axis >= ndim || named >> axis & 1) return false;
    named |= uint64_t{1} << axis;
    axes[i] = axis;
    as_given = as_given && given[i] >= 0 && !(ascending && i && axes[i - 1] > axis);
  }
  if (ascending) std::sort(axes, axes + count);
  *out = as_given ? given : Dims(axes, count);
  return true;
}

// Flags of the named axes among ndim; raises where one is named twice.
Lengths named_axes(const Dims& axes, int64_t ndim, const char* function) {
  Lengths named(ndim);
  for (int64_t axis : axes) {
    const int64_t at = axis_of(axis, ndim, function);
    if (named[at]) {
      raise(ErrorKind::value, "[%s] axes %s name axis %lld twice.", function, axes.str().c_str(),
            ll(at));
    }
    named[at] = 1;
  }
  return named;
}

bool is_row_major(const Layout& layout) {
  int64_t step = 1;
  bool contiguous = true;
  for (size_t i = layout.shape.size(); i-- > 0;) {
    if (layout.shape[i] == 0) return true;
    if (layout.shape[i] == 1) continue;
    if (layout.strides[i] != step) contiguous = false;
    step *= layout.shape[i];
  }
  return contiguous;
}

// ---- reshape, flatten, unflatten -------------------------------------------------------------------------------

// The wanted shape with its one -1 filled in.
Dims resolved(const Dims& from, const Dims& wanted, const char* function) {
  const int64_t size = element_count(from);
  int64_t known = 1;
  int64_t unknown = -1;
  bool overflow = false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == -1 && unknown < 0) {
      unknown = static_cast<int64_t>(i);
    } else if (wanted[i] < 0) {
      raise(ErrorKind::value, "[%s] the shape %s has %s.", function, wanted.str().c_str(),
            wanted[i] == -1 ? "more than one -1" : "a negative length");
    } else {
      overflow |= __builtin_mul_overflow(known, wanted[i], &known);
    }
  }
  const bool fits = !overflow && (unknown < 0 ? known == size : known > 0 && size % known == 0);
  if (!fits) {
    raise(ErrorKind::value, "[%s] an array of shape %s and size %lld does not fit the shape %s.",
          function, from.str().c_str(), ll(size), wanted.str().c_str());
  }
  if (unknown < 0) return wanted;
  Lengths lengths(wanted.begin(), wanted.end());
  lengths[unknown] = size / known;
  return to_dims(lengths);
}

bool given_reshape(const Dims&, const Dims* sizes, Params* params) {
  if (!sizes) return false;
  *params = Params::of(*sizes);
  return true;
}

void infer_reshape(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  *shape = resolved(input.shape(), params[0].dims(), "reshape");
}

// Old axes are merged into runs of one stride each; every run has to hold a run of new axes
// exactly.
bool view_reshape(const Layout& input, const Params&, const Dims& shape, Layout* output) {
  output->shape = shape;
  output->offset = input.offset;
  output->dtype = input.dtype;
  if (is_row_major(input)) {
    output->strides = row_major(shape);
    return true;
  }
  Lengths old_shape;
  Lengths old_strides;
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (input.shape[i] == 1) continue;
    old_shape.push_back(input.shape[i]);
    old_strides.push_back(input.strides[i]);
  }
  Lengths strides(shape.size(), 1);
  size_t from = 0;
  size_t to = 0;
  while (from < old_shape.size()) {
    size_t from_end = from + 1;
    size_t to_end = to;
    int64_t old_count = old_shape[from];
    int64_t new_count = 1;
    while (new_count != old_count) {
      if (new_count < old_count) {
        new_count *= shape[to_end++];
      } else {
        old_count *= old_shape[from_end++];
      }
    }
    for (size_t i = from; i + 1 < from_end; ++i) {
      if (old_strides[i] != old_strides[i + 1] * old_shape[i + 1]) return false;
    }
    int64_t step = old_strides[from_end - 1];
    for (size_t i = to_end; i-- > to;) {
      strides[i] = step;
      step *= shape[i];
    }
    from = from_end;
    to = to_end;
  }
  output->strides = to_dims(strides);
  return true;
}

void infer_flatten(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const int64_t ndim = static_cast<int64_t>(from.size());
  if (ndim == 0) {
    *shape = Dims{1};
    return;
  }
  const int64_t start = axis_of(params[0].integer(), ndim, "flatten");
  const int64_t end = axis_of(params[1].integer(), ndim, "flatten");
  if (start > end) {
    raise(ErrorKind::value, "[flatten] the start axis %lld comes after the end axis %lld.",
          ll(start), ll(end));
  }
  Lengths lengths(from.begin(), from.begin() + start + 1);
  lengths[start] = element_count(Dims(from.begin() + start, end - start + 1));
  lengths.append(from.begin() + end + 1, from.end());
  *shape = to_dims(lengths);
}

void infer_unflatten(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const int64_t axis = axis_of(params[0].integer(), static_cast<int64_t>(from.size()), "unflatten");
  const Dims part = resolved(Dims{from[axis]}, params[1].dims(), "unflatten");
  Lengths lengths(from.begin(), from.begin() + axis);
  lengths.append(part.begin(), part.end());
  lengths.append(from.begin() + axis + 1, from.end());
  *shape = to_dims(lengths);
}

// ---- axes ------------------------------------------------------------------------------------------------------

bool given_transpose(const Dims& shape, const Dims* axes, Params* params) {
  const int64_t ndim = static_cast<int64_t>(shape.size());
  Dims order;
  if (!axes) {
    Lengths reversed(ndim);
    for (int64_t i = 0; i < ndim; ++i) reversed[i] = ndim - 1 - i;
    order = to_dims(reversed);
  } else if (axes->size() != shape.size() || !counted_axes(*axes, ndim, false, &order)) {
    return false;
  }
  *params = Params::of(std::move(order));
  return true;
}

void infer_transpose(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const Dims& axes = params[0].dims();
  const int64_t ndim = static_cast<int64_t>(from.size());
  if (static_cast<int64_t>(axes.size()) != ndim) {
    raise(ErrorKind::value, "[transpose] axes %s do not fit an array with %lld dimensions.",
          axes.str().c_str(), ll(ndim));
  }
  named_axes(axes, ndim, "transpose");
  Lengths lengths;
  for (int64_t axis : axes) lengths.push_back(from[axis < 0 ? axis + ndim : axis]);
  *shape = to_dims(lengths);
}

bool view_transpose(const Layout& input, const Params& params, const Dims& shape, Layout* output) {
  const int64_t ndim = static_cast<int64_t>(shape.size());
  Lengths strides;
  for (int64_t axis : params[0].dims()) {
    strides.push_back(input.strides[axis < 0 ? axis + ndim : axis]);
  }
  *output = {shape, to_dims(strides), input.offset, input.dtype};
  return true;
}

bool given_expand_dims(const Dims& shape, const Dims* axes, Params* params) {
  Dims added;
  if (!axes || axes->empty()) return false;
  if (!counted_axes(*axes, static_cast<int64_t>(shape.size() + axes->size()), true, &added)) {
    return false;
  }
  *params = Params::of(std::move(added));
  return true;
}

void infer_expand_dims(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const Dims& axes = params[0].dims();
  const Lengths added =
      named_axes(axes, static_cast<int64_t>(from.size() + axes.size()), "expand_dims");
  Lengths lengths;
  size_t next = 0;
  for (int64_t is_new : added) lengths.push_back(is_new ? 1 : from[next++]);
  *shape = to_dims(lengths);
}

bool view_expand_dims(const Layout& input, const Params& params, const Dims& shape,
                      Layout* output) {
  const Lengths added =
      named_axes(params[0].dims(), static_cast<int64_t>(shape.size()), "expand_dims");
  Lengths strides;
  size_t next = 0;
  for (int64_t is_new : added) strides.push_back(is_new ? 1 : input.strides[next++]);
  *output = {shape, to_dims(strides), input.offset, input.dtype};
  return true;
}

bool given_squeeze(const Dims& shape, const Dims* axes, Params* params) {
  Dims dropped;
  if (!axes || axes->empty()) return false;
  if (!counted_axes(*axes, static_cast<int64_t>(shape.size()), true, &dropped)) return false;
  for (int64_t axis : dropped) {
    if (shape[axis] != 1) return false;
  }
  *params = Params::of(std::move(dropped));
  return true;
}

void infer_squeeze(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const Lengths dropped =
      named_axes(params[0].dims(), static_cast<int64_t>(from.size()), "squeeze");
  Lengths lengths;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!dropped[i]) {
      lengths.push_back(from[i]);
    } else if (from[i] != 1) {
      raise(ErrorKind::value, "[squeeze] axis %lld of the shape %s has length %lld, not 1.",
            ll(static_cast<int64_t>(i)), from.str().c_str(), ll(from[i]));
    }
  }
  *shape = to_dims(lengths);
}

bool view_squeeze(const Layout& input, const Params& params, const Dims& shape, Layout* output) {
  const Lengths dropped =
      named_axes(params[0].dims(), static_cast<int64_t>(input.shape.size()), "squeeze");
  Lengths strides;
  for (size_t i = 0; i < dropped.size(); ++i) {
    if (!dropped[i]) strides.push_back(input.strides[i]);
  }
  *output = {shape, to_dims(strides), input.offset, input.dtype};
  return true;
}

bool given_broadcast_to(const Dims& shape, const Dims* sizes, Params* params) {
  if (!sizes || *sizes == shape) return false;
  for (int64_t size : *sizes) {
    if (size < 0) return false;
  }
  *params = Params::of(*sizes);
  return true;
}

void infer_broadcast_to(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& wanted = params[0].dims();
  for (int64_t length : wanted) {
    if (length < 0) {
      raise(ErrorKind::value, "[broadcast_to] the shape %s has a negative length.",
            wanted.str().c_str());
    }
  }
  if (!(broadcast(input.shape(), wanted, "broadcast_to") == wanted)) {
    raise(ErrorKind::value, "[broadcast_to] the shape %s cannot be broadcast to %s.",
          input.shape().str().c_str(), wanted.str().c_str());
  }
  element_count(wanted);
  *shape = wanted;
}

bool view_broadcast_to(const Layout& input, const Params&, const Dims& shape, Layout* output) {
  const size_t added = shape.size() - input.shape.size();
  Lengths strides(shape.size(), 0);
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (input.shape[i] == shape[added + i]) strides[added + i] = input.strides[i];
  }
  *output = {shape, to_dims(strides), input.offset, input.dtype};
  return true;
}

// ---- slices ----------------------------------------------------------------------------------------------------

// Starts, stops and strides, one an axis, already as range() takes them: with a positive stride 0
// <= start and stop <= length, with a negative one start < length and stop >= -1.
void infer_slice(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const Dims& starts = params[0].dims();
  const Dims& stops = params[1].dims();
  const Dims& strides = params[2].dims();
  if (starts.size() != from.size() || stops.size() != from.size() ||
      strides.size() != from.size()) {
    raise(ErrorKind::value,
          "[slice] starts %s, stops %s and strides %s do not fit an array with %zu dimensions.",
          starts.str().c_str(), stops.str().c_str(), strides.str().c_str(), from.size());
  }
  Lengths lengths;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t start = starts[i];
    const int64_t stop = stops[i];
    const int64_t step = strides[i];
    int64_t length = 0;
    bool inside = step != 0;
    if (step > 0) {
      inside = start >= 0 && stop <= from[i];
      if (inside && stop > start) length = (stop - start - 1) / step + 1;
    } else if (step < 0) {
      inside = start < from[i] && stop >= -1;
      // Unsigned, so that the smallest step has an opposite.
      const uint64_t back = 0 - static_cast<uint64_t>(step);
      if (inside && start > stop) {
        length = static_cast<int64_t>(static_cast<uint64_t>(start - stop - 1) / back) + 1;
      }
    }
    if (!inside) {
      raise(ErrorKind::index, "[slice] %lld:%lld:%lld lies outside axis %zu of the shape %s.",
            ll(start), ll(stop), ll(step), i, from.str().c_str());
    }
    lengths.push_back(length);
  }
  *shape = to_dims(lengths);
}

bool view_slice(const Layout& input, const Params& params, const Dims& shape, Layout* output) {
  const Dims& starts = params[0].dims();
  const Dims& steps = params[2].dims();
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  int64_t first = 0;
  Lengths strides;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!empty) first += starts[i] * input.strides[i];
    strides.push_back(shape[i] > 1 ? input.strides[i] * steps[i] : 1);
  }
  const int64_t offset = input.offset + first * static_cast<int64_t>(itemsize(input.dtype));
  *output = {shape, to_dims(strides), offset, input.dtype};
  return true;
}

void infer_diagonal(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& from = input.shape();
  const int64_t ndim = static_cast<int64_t>(from.size());
  if (ndim < 2) {
    raise(ErrorKind::value, "[diagonal] an array with %lld dimensions has no diagonal: 2 or more.",
          ll(ndim));
  }
  const int64_t offset = params[0].integer();
  const int64_t a = axis_of(params[1].integer(), ndim, "diagonal");
  const int64_t b = axis_of(params[2].integer(), ndim, "diagonal");
  if (a == b) raise(ErrorKind::value, "[diagonal] axis %lld is named twice.", ll(a));
  Lengths lengths;
  for (int64_t i = 0; i < ndim; ++i) {
    if (i != a && i != b) lengths.push_back(from[i]);
  }
  const int64_t rows = offset < 0 ? (offset < -from[a] ? 0 : from[a] + offset) : from[a];
  const int64_t columns = offset > 0 ? (offset > from[b] ? 0 : from[b] - offset) : from[b];
  lengths.push_back(std::min(rows, columns));
  *shape = to_dims(lengths);
}

bool view_diagonal(const Layout& input, const Params& params, const Dims& shape, Layout* output) {
  const int64_t ndim = static_cast<int64_t>(input.shape.size());
  const int64_t k = params[0].integer();
  const int64_t a = axis_of(params[1].integer(), ndim, "diagonal");
  const int64_t b = axis_of(params[2].integer(), ndim, "diagonal");
  Lengths strides;
  for (int64_t i = 0; i < ndim; ++i) {
    if (i != a && i != b) strides.push_back(input.strides[i]);
  }
  strides.push_back(input.strides[a] + input.strides[b]);
  int64_t first = 0;
  if (shape.back() > 0) first = k < 0 ? -k * input.strides[a] : k * input.strides[b];
  const int64_t offset = input.offset + first * static_cast<int64_t>(itemsize(input.dtype));
  *output = {shape, to_dims(strides), offset, input.dtype};
  return true;
}

// ---- bytes and strides -----------------------------------------------------------------------------------------

void infer_view(const Edge& input, const Params& params, Dims* shape, Dtype* dtype) {
  const Dims& from = input.shape();
  const size_t old_size = itemsize(input.dtype());
  *dtype = params[0].dtype();
  const size_t new_size = itemsize(*dtype);
  *shape = from;
  if (old_size == new_size) return;
  if (from.empty()) {
    raise(ErrorKind::value, "[view] a scalar of dtype %s has another size than %s.",
          name(input.dtype()), name(*dtype));
  }
  Lengths lengths(from.begin(), from.end());
  int64_t bytes;
  if (__builtin_mul_overflow(lengths.back(), static_cast<int64_t>(old_size), &bytes) ||
      bytes % static_cast<int64_t>(new_size)) {
    raise(ErrorKind::value, "[view] the last axis of the shape %s does not hold whole items of %s.",
          from.str().c_str(), name(*dtype));
  }
  lengths.back() = bytes / static_cast<int64_t>(new_size);
  *shape = to_dims(lengths);
}

bool view_view(const Layout& input, const Params& params, const Dims& shape, Layout* output) {
  const Dtype dtype = params[0].dtype();
  const int64_t old_size = static_cast<int64_t>(itemsize(input.dtype));
  const int64_t new_size = static_cast<int64_t>(itemsize(dtype));
  *output = {shape, input.strides, input.offset, dtype};
  if (element_count(shape) == 0) {  // nothing is read, whatever the strides
    output->offset = 0;
    return true;
  }
  if (input.offset % new_size) return false;  // kernels want aligned elements
  if (old_size == new_size) return true;
  if (input.shape.back() > 1 && input.strides.back() != 1) return false;
  Lengths strides(input.strides.begin(), input.strides.end());
  for (size_t i = 0; i + 1 < strides.size(); ++i) {
    const int64_t bytes = strides[i] * old_size;
    if (bytes % new_size) {
      if (shape[i] > 1) return false;
      strides[i] = new_size;  // an axis of one element: any stride does
      continue;
    }
    strides[i] = bytes / new_size;
  }
  strides.back() = 1;
  output->strides = to_dims(strides);
  return true;
}

// Shape, strides and offset in elements of the row-major array.
void infer_as_strided(const Edge& input, const Params& params, Dims* shape, Dtype*) {
  const Dims& wanted = params[0].dims();
  const Dims& strides = params[1].dims();
  if (wanted.size() != strides.size()) {
    raise(ErrorKind::value, "[as_strided] the shape %s and the strides %s differ in length.",
          wanted.str().c_str(), strides.str().c_str());
  }
  const int64_t size = element_count(input.shape());
  for (int64_t length : wanted) {
    if (length < 0) {
      raise(ErrorKind::value, "[as_strided] the shape %s has a negative length.",
            wanted.str().c_str());
    }
  }
  element_count(wanted);  // also keeps the sums below within 128 bits
  __int128 lowest = params[2].integer();
  __int128 highest = lowest;
  bool empty = false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0) empty = true;
    const __int128 reach = static_cast<__int128>(wanted[i] - 1) * strides[i];
    (reach < 0 ? lowest : highest) += reach;
  }
  if (!empty && (lowest < 0 || highest >= size)) {
    raise(ErrorKind::value,
          "[as_strided] the shape %s with strides %s and offset %lld reaches outside the %lld "
          "elements of the array.",
          wanted.str().c_str(), strides.str().c_str(), ll(params[2].integer()), ll(size));
  }
  *shape = wanted;
}

bool view_as_strided(const Layout& input, const Params& params, const Dims& shape, Layout* output) {
  if (!is_row_major(input)) return false;
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  const int64_t first = empty ? 0 : params[2].integer();
  *output = {shape, params[1].dims(),
             input.offset + first * static_cast<int64_t>(itemsize(input.dtype)), input.dtype};
  return true;
}

void infer_same(const Edge& input, const Params&, Dims* shape, Dtype*) { *shape = input.shape(); }

bool view_same(const Layout& input, const Params&, const Dims&, Layout* output) {
  *output = input;
  return true;
}

// Params: allow_column_major.
bool view_contiguous(const Layout& input, const Params& params, const Dims&, Layout* output) {
  *output = input;
  if (is_row_major(input)) return true;
  if (params.empty() || !params[0].boolean()) return false;
  int64_t step = 1;
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (input.shape[i] != 1 && input.strides[i] != step) return false;
    step *= input.shape[i];
  }
  return true;
}

constexpr MovementRule rules[] = {
    {"reshape", 1, given_reshape, infer_reshape, view_reshape},
    {"flatten", 2, nullptr, infer_flatten, view_reshape},
    {"unflatten", 2, nullptr, infer_unflatten, view_reshape},
    {"transpose", 1, given_transpose, infer_transpose, view_transpose},
    {"expand_dims", 1, given_expand_dims, infer_expand_dims, view_expand_dims},
    {"squeeze", 1, given_squeeze, infer_squeeze, view_squeeze},
    {"broadcast_to", 1, given_broadcast_to, infer_broadcast_to, view_broadcast_to},
    {"slice", 3, nullptr, infer_slice, view_slice},
    {"diagonal", 3, nullptr, infer_diagonal, view_diagonal},
    {"view", 1, nullptr, infer_view, view_view},
    {"as_strided", 3, nullptr, infer_as_strided, view_as_strided},
    {"contiguous", 0, nullptr, infer_same, view_contiguous},
    {"identity", 0, nullptr, infer_same, view_same},
    {"trace_leaf", 0, nullptr, infer_same, view_same},
    {"stop_gradient", 0, nullptr, infer_same, view_same},
};

}  // namespace

const MovementRule* movement_rule(const char* name) {
  for (const MovementRule& rule : rules) {
    if (std::strcmp(rule.name, name) == 0) return &rule;
  }
  return nullptr;
}

const MovementRule& movement_rule(uint16_t index) { return rules[index]; }

}  // namespace mlxk
