# The library mlxk: graph, runtime, and the CPU kernels once per instruction set.
#
# A *stem* is a kernel file cpu/<stem>.cpp. It is compiled once per instruction set with
# MLXK_ISA=<isa>, which is also its namespace; cpu/device.cpp and cpu/common/ are compiled once. A
# file cpu/<stem>_<extension>.cpp is compiled once, for CPUs that have v4 and the extension.
set(root ${CMAKE_CURRENT_SOURCE_DIR})
file(GLOB common_sources CONFIGURE_DEPENDS
     ${root}/graph/*.cpp ${root}/runtime/*.cpp ${root}/cpu/common/*.cpp)

set(stems "")
set(stem_sources "")
set(extensions avx512bf16 amxbf16)
list(JOIN extensions "|" any_extension)
set(isas "")
if(MLX_BUILD_CPU)
  file(GLOB cpu_sources CONFIGURE_DEPENDS ${root}/cpu/*.cpp)
  foreach(source IN LISTS cpu_sources)
    get_filename_component(name ${source} NAME_WE)
    if(name STREQUAL "device")
      list(APPEND common_sources ${source})
    elseif(name MATCHES "^(.+)_(${any_extension})$")
      list(APPEND ${CMAKE_MATCH_2}_stems ${CMAKE_MATCH_1})
      list(APPEND ${CMAKE_MATCH_2}_sources ${source})
    else()
      list(APPEND stems ${name})
      list(APPEND stem_sources ${source})
    endif()
    # These gain from contraction and promise no equal bits across instruction sets; the others
    # promise them, and write MLXK_FMA where they want a fused multiply-add.
    set(options "")
    if(name MATCHES "^(matmul|(gather|segmented|block_masked)_mm|conv|attention|quantized|fft)(_(${any_extension}))?$")
      list(APPEND options -ffp-contract=fast)
    endif()
    # What these gain from -O3 is unrolling and a bolder vectorizer; the rest of it copies loops that
    # are written out by hand, for a tenth to a half of the time that g++ takes.
    if(name MATCHES "^(matmul|(gather|segmented|block_masked)_mm|attention|norm|scan|linalg)$"
       AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT MLXK_SANITIZED)
      list(APPEND options -O2 -fpeel-loops -fvect-cost-model=dynamic)
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${options}")
  endforeach()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    # A developer may build only what runs on this machine: CMAKE_ARGS=-DMLXK_ISAS=v3 make build
    set(MLXK_ISAS v2 v3 v4 CACHE STRING "Instruction sets of the CPU kernels")
    set(isas ${MLXK_ISAS})
    if(NOT v4 IN_LIST isas)
      set(extensions "")
    endif()
  else()
    set(isas arm64)
    set(extensions "")
  endif()
endif()

set(isa_flags_v2 -march=x86-64-v2)
if(NOT MLXK_SANITIZED)
  # The fallback for CPUs before AVX2.
  list(APPEND isa_flags_v2 -O2)
endif()
set(isa_flags_v3 -march=x86-64-v3)
set(isa_flags_v4 -march=x86-64-v4 -mprefer-vector-width=512)
set(isa_flags_arm64 "")
set(isa_flags_avx512bf16 ${isa_flags_v4} -mavx512bf16 -mavx512vnni)
set(isa_flags_amxbf16 ${isa_flags_v4} -mamx-tile -mamx-bf16)
if(MLXK_EMULATE_V4)
  set(isa_flags_v4 ${isa_flags_v3} -Wno-psabi -include ${root}/tests/emulated_v4.h)
  set(isa_flags_avx512bf16 ${isa_flags_v4})
  set(isa_flags_amxbf16 ${isa_flags_v4})
endif()
set(kernel_flags -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off)
if(MLXK_SANITIZED)
  # A sanitizer sees the same accesses, and at -O3 takes minutes a file.
  list(TRANSFORM kernel_flags REPLACE "-O3" "-O1")
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND kernel_flags --param ggc-min-heapsize=524288)  # g++ tidies its memory less often
endif()

set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
function(write_lines file)
  string(JOIN "\n" text ${ARGN} "")
  file(CONFIGURE OUTPUT ${generated}/${file} CONTENT "${text}" @ONLY)
endfunction()

# mlxk_entries.inc: one MLXK_ENTRY(isa, stem) a line.
set(entries "")
foreach(isa IN LISTS isas)
  list(TRANSFORM stems REPLACE "(.+)" "MLXK_ENTRY(${isa}, \\1)" OUTPUT_VARIABLE of_isa)
  list(APPEND entries ${of_isa})
endforeach()
foreach(extension IN LISTS extensions)
  foreach(stem IN LISTS ${extension}_stems)
    list(APPEND entries "MLXK_ENTRY(${extension}, ${stem})")
  endforeach()
endforeach()
write_lines(mlxk_entries.inc ${entries})

add_library(mlxk_settings INTERFACE)
target_include_directories(mlxk_settings INTERFACE ${root}/include ${root} ${generated})
target_link_libraries(mlxk_settings INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
if(MLX_OPENBLAS)
  find_library(OPENBLAS_LIBRARY scipy_openblas64_
               PATHS ${MLX_OPENBLAS}/lib NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH REQUIRED)
  target_include_directories(mlxk_settings SYSTEM INTERFACE ${MLX_OPENBLAS}/include)
  target_compile_definitions(mlxk_settings INTERFACE MLXK_OPENBLAS=1)
  target_link_libraries(mlxk_settings INTERFACE ${OPENBLAS_LIBRARY})
endif()

# Parses what most files of a target include once, as long as no ccache is there: it would find
# nothing in its cache again.
function(parse_once target)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    list(TRANSFORM ARGN REPLACE ".+" "<\\0>")
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

set(kernel_objects "")
function(add_kernels isa)
  if(NOT ARGN)
    return()
  endif()
  add_library(kernels_${isa} OBJECT ${ARGN})
  target_link_libraries(kernels_${isa} PRIVATE mlxk_settings)
  target_compile_definitions(kernels_${isa} PRIVATE MLXK_ISA=${isa})
  target_compile_options(kernels_${isa} PRIVATE ${kernel_flags} ${isa_flags_${isa}})
  set(kernel_objects ${kernel_objects} $<TARGET_OBJECTS:kernels_${isa}> PARENT_SCOPE)
endfunction()
foreach(isa IN LISTS isas)
  add_kernels(${isa} ${stem_sources})
  parse_once(kernels_${isa} mlxk/error.h mlxk/kernel.h mlxk/threads.h scalar/formulas.h)
endforeach()
foreach(extension IN LISTS extensions)
  add_kernels(${extension} ${${extension}_sources})
endforeach()

# After the kernels, so that a build ends with files that take little time: all cores are busy then.
add_library(mlxk ${common_sources} ${kernel_objects})
parse_once(mlxk algorithm functional mutex unordered_map mlxk/error.h mlxk/kernel.h)
target_link_libraries(mlxk PUBLIC mlxk_settings)
if(MLXK_EMULATE_V4)
  target_compile_definitions(mlxk PRIVATE MLXK_EMULATED_V4=1)
endif()

if(MLX_SOABI)
  set_target_properties(mlxk PROPERTIES OUTPUT_NAME mlxk.${MLX_SOABI})
endif()
install(TARGETS mlxk LIBRARY DESTINATION mlx/kernels)
