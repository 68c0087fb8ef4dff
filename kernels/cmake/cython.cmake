# The Cython modules: each src/mlx/kernels/<name>.pyx becomes mlx/kernels/<name><suffix>, built in
# place so that an editable install sees it, and installed with the wheel's rpath.
set(package ${CMAKE_CURRENT_SOURCE_DIR}/src/mlx/kernels)
file(GLOB cython_sources CONFIGURE_DEPENDS ${package}/*.pyx)
set(origin $<IF:$<PLATFORM_ID:Darwin>,@loader_path,$ORIGIN>)
set(wheel_rpath "${origin};${origin}/../../scipy_openblas64/lib")

# Of mlxk too.
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${package})
set(CMAKE_INSTALL_RPATH "${wheel_rpath}")

foreach(source IN LISTS cython_sources)
  get_filename_component(name ${source} NAME_WE)
  set(translated ${CMAKE_CURRENT_BINARY_DIR}/cython/${name}.cxx)
  add_custom_command(
    OUTPUT ${translated}
    COMMAND ${MLX_PYTHON} -I ${CMAKE_CURRENT_SOURCE_DIR}/cmake/cythonize.py
            ${CMAKE_CURRENT_BINARY_DIR}/python_path.txt mlx.kernels.${name} ${source} ${translated}
    DEPENDS ${source} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/cythonize.py
    DEPFILE ${translated}.dep
    COMMENT "Cython ${name}.pyx"
    VERBATIM)
  # Objects of their own, which know mlxk's headers only: a translation within the module would wait
  # until mlxk is linked.
  add_library(translated_${name} OBJECT ${translated})
  target_include_directories(translated_${name} SYSTEM PRIVATE ${MLX_PYTHON_INCLUDE})
  target_include_directories(translated_${name} PRIVATE ${package})
  target_link_libraries(translated_${name} PRIVATE mlxk_settings)
  # Generated code is not ours to lint.
  target_compile_options(translated_${name} PRIVATE -w)
  add_library(cython_${name} MODULE $<TARGET_OBJECTS:translated_${name}>)
  target_link_libraries(cython_${name} PRIVATE mlxk)
  if(APPLE)
    target_link_options(cython_${name} PRIVATE -undefined dynamic_lookup)
  endif()
  set_target_properties(cython_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} SUFFIX ${MLX_EXTENSION_SUFFIX}
    BUILD_RPATH "${origin}" LINKER_LANGUAGE CXX)
  install(TARGETS cython_${name} LIBRARY DESTINATION mlx/kernels)
endforeach()
