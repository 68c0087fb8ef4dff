# Compilers, flags and sanitizers, for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# No debug information: it would double the time of a build. CXXFLAGS=-g brings it back.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")
# So that a missing symbol fails here, not at import.
if(NOT APPLE AND NOT USE_ASAN AND NOT USE_TSAN AND NOT USE_UBSAN)
  string(APPEND CMAKE_SHARED_LINKER_FLAGS " -Wl,--no-undefined")
endif()
add_compile_options(-Wall -Wextra -Wno-unused-parameter -fno-semantic-interposition)
# One formula serves scalars and vectors: it joins masks with & and |, which on scalars are bool.
add_compile_options($<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-bitwise-instead-of-logical>)

if(MLX_USE_CCACHE)
  find_program(CCACHE_PROGRAM ccache)
  if(CCACHE_PROGRAM)
    # Relative paths in the hash: a second checkout and an unpacked sdist hit the same entries.
    set(CMAKE_CXX_COMPILER_LAUNCHER env
        CCACHE_BASEDIR=${CMAKE_CURRENT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  endif()
endif()

foreach(sanitizer IN ITEMS ASAN:address UBSAN:undefined TSAN:thread)
  string(REPLACE ":" ";" pair ${sanitizer})
  list(GET pair 0 option)
  list(GET pair 1 name)
  if(USE_${option})
    add_compile_options(-fsanitize=${name} -fno-sanitize-recover=all -g1 -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${name})
    set(MLXK_SANITIZED ON)
  endif()
endforeach()
if(MLXK_SANITIZED)
  # Assertions stay on under a sanitizer.
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
  add_compile_definitions(MLXK_SANITIZED=1)
endif()

find_package(Threads REQUIRED)

foreach(backend IN ITEMS CUDA METAL)
  if(MLX_BUILD_${backend})
    message(FATAL_ERROR "[build] MLX_BUILD_${backend}=ON, but this version has no ${backend} "
                        "runtime; leave it OFF to build for the CPU.")
  endif()
endforeach()
