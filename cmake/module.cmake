# rd_module(NAME [DEPS modules...] [LIBS pkgconfig targets...] [PUBLIC_LIBS targets...])
#
# One folder, one static library rd_NAME made of its *.c files; *_test.c beside them become one
# cmocka executable each. Headers are included as "folder/file.h" through a per-module include tree
# that holds links to the folders the module may see, so an include that the module rule of
# docs/design.md forbids does not compile.
set(RD_INCLUDE_ROOT ${CMAKE_BINARY_DIR}/see)

function(rd_module name)
  cmake_parse_arguments(M "" "" "DEPS;LIBS;PUBLIC_LIBS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.c$")
  list(FILTER tests INCLUDE REGEX "_test\\.c$")

  # Where this folder's headers are seen from: <root>/<name>/<path under src> -> the folder.
  file(RELATIVE_PATH rel ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  set(own ${RD_INCLUDE_ROOT}/${name})
  get_filename_component(parent ${own}/${rel} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${own}/${rel} SYMBOLIC)

  if(sources)
    add_library(rd_${name} STATIC ${sources})
    target_include_directories(rd_${name} PUBLIC ${own})
    foreach(dep ${M_DEPS})
      target_link_libraries(rd_${name} PUBLIC rd_${dep})
    endforeach()
    target_link_libraries(rd_${name} PRIVATE ${M_LIBS} PUBLIC ${M_PUBLIC_LIBS})
  else()
    add_library(rd_${name} INTERFACE)
    target_include_directories(rd_${name} INTERFACE ${own})
    foreach(dep ${M_DEPS})
      target_link_libraries(rd_${name} INTERFACE rd_${dep})
    endforeach()
  endif()

  if(RAYDEPLOY_TESTS)
    foreach(test ${tests})
      get_filename_component(stem ${test} NAME_WE)
      set(exe ${name}_${stem})
      add_executable(${exe} ${test})
      target_link_libraries(${exe} PRIVATE rd_${name} PkgConfig::CMOCKA ${M_LIBS})
      foreach(dep ${M_TEST_DEPS})
        target_link_libraries(${exe} PRIVATE rd_${dep})
      endforeach()
      target_compile_definitions(${exe} PRIVATE RD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
      set_target_properties(${exe} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
      add_test(NAME unit/${name}/${stem} COMMAND ${exe} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
      set_tests_properties(unit/${name}/${stem} PROPERTIES TIMEOUT 120 LABELS unit)
    endforeach()
  endif()
endfunction()
