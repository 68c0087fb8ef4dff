// A test harness in one header. A test file registers cases and includes nothing else:
//
//   TEST(adds_two_numbers) { CHECK_EQ(1 + 1, 2); }
//   TEST_MAIN()
//
// A failed CHECK is printed and the case goes on; REQUIRE ends the case. The last line reads
// `N passed, N failed`, counted in cases. `./test_x NAME` runs the cases whose name contains NAME.
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace mlxk_check {

struct Case {
  const char* name;
  void (*function)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* name, void (*function)()) { cases().push_back({name, function}); }
};

struct RequirementFailed {};

template <class T> std::string shown(const T& value) {
  if constexpr (requires(std::ostringstream& stream) { stream << value; }) {
    std::ostringstream stream;
    stream.precision(9);
    stream << value;
    return stream.str();
  } else {
    return "?";
  }
}

inline void fail(const char* file, int line, const std::string& what) {
  ++failures();
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

template <class A, class B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (!(a == b)) { fail(file, line, std::string(text) + ": " + shown(a) + " is not " + shown(b)); }
}

inline void check_near(double a, double b, double tolerance, const char* text, const char* file,
                       int line) {
  if (a == b || (std::isnan(a) && std::isnan(b))) { return; }
  if (!(std::fabs(a - b) <= tolerance)) {
    fail(file, line, std::string(text) + ": " + shown(a) + " is not near " + shown(b));
  }
}

inline int run(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  int passed = 0;
  int failed = 0;
  for (const Case& test : cases()) {
    if (std::string_view(test.name).find(wanted) == std::string_view::npos) { continue; }
    const int before = failures();
    try {
      test.function();
    } catch (const RequirementFailed&) {
    } catch (const std::exception& error) {
      fail(test.name, 0, std::string("threw: ") + error.what());
    } catch (...) { fail(test.name, 0, "threw something that is no std::exception"); }
    if (failures() == before) {
      ++passed;
    } else {
      ++failed;
      std::printf("FAILED %s\n", test.name);
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace mlxk_check

#define TEST(name)                                                       \
  static void test_##name();                                             \
  static const mlxk_check::Register register_##name(#name, test_##name); \
  static void test_##name()

// A case that forks a process with several threads: qemu-user and the thread sanitizer cannot.
#if defined(MLXK_EMULATED) || defined(__SANITIZE_THREAD__)
#define TEST_FORK(name) [[maybe_unused]] static void test_##name()
#else
#define TEST_FORK(name) TEST(name)
#endif

#define TEST_MAIN() \
  int main(int argc, char** argv) { return mlxk_check::run(argc, argv); }

#define CHECK(...)                                                              \
  do {                                                                          \
    if (!(__VA_ARGS__)) { mlxk_check::fail(__FILE__, __LINE__, #__VA_ARGS__); } \
  } while (0)

#define CHECK_EQ(a, b) mlxk_check::check_equal((a), (b), #a " == " #b, __FILE__, __LINE__)

#define CHECK_NEAR(a, b, tolerance) \
  mlxk_check::check_near((a), (b), (tolerance), #a " ~ " #b, __FILE__, __LINE__)

#define REQUIRE(...)                                      \
  do {                                                    \
    if (!(__VA_ARGS__)) {                                 \
      mlxk_check::fail(__FILE__, __LINE__, #__VA_ARGS__); \
      throw mlxk_check::RequirementFailed{};              \
    }                                                     \
  } while (0)

// The statement must throw `type`, with `text` somewhere in its message.
#define CHECK_THROWS(type, text, ...)                                                            \
  do {                                                                                           \
    bool thrown = false;                                                                         \
    try {                                                                                        \
      __VA_ARGS__;                                                                               \
    } catch (const type& error) {                                                                \
      thrown = true;                                                                             \
      if (std::string_view(error.what()).find(text) == std::string_view::npos) {                 \
        mlxk_check::fail(__FILE__, __LINE__, std::string("message: ") + error.what());           \
      }                                                                                          \
    }                                                                                            \
    if (!thrown) { mlxk_check::fail(__FILE__, __LINE__, #__VA_ARGS__ " did not throw " #type); } \
  } while (0)
