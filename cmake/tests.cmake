# Tests. tests/unit mirrors the sources: tests/unit/A/B/*_test.cc becomes one program, unit_A_B.
enable_testing()
find_package(GTest REQUIRED)

add_library(tandem_test_flags INTERFACE)
target_link_libraries(tandem_test_flags INTERFACE tandem_flags GTest::gtest GTest::gtest_main)

# What has threads, for ThreadSanitizer: build target `threaded`, tests labelled `threads`.
set(TANDEM_THREADED common/base common/net lb/io lb/app server/io client/io)
add_custom_target(threaded)
# All fuzzers of the preset fuzz.
add_custom_target(fuzzers)

# tandem_unit_tests(FOLDER): the unit tests of FOLDER, linked with FOLDER's library (and USES).
function(tandem_unit_tests folder)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  tandem_target_names(target ${folder})
  tandem_target_names(uses ${ARG_USES})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${folder}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  string(REPLACE "/" "_" name "unit_${folder}")
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${target} ${uses} tandem_test_flags)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit)
  if(folder IN_LIST TANDEM_THREADED)
    add_dependencies(threaded ${name})
    set_tests_properties(${name} PROPERTIES LABELS "unit;threads")
  endif()
endfunction()

foreach(folder common/base common/crypto common/session common/cluster common/http common/wire
               common/config common/net common/storage lb/core lb/conf lb/io lb/app lb/ctl server/core
               server/conf server/io server/app client/core client/io client/cli)
  tandem_unit_tests(${folder})
endforeach()

# tandem_fuzzer(NAME USES ...): tests/fuzz/NAME.cc. With clang (preset fuzz) a libFuzzer program;
# in every other build a test that replays the corpus tests/fuzz/corpus/NAME.
function(tandem_fuzzer name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  tandem_target_names(uses ${ARG_USES})
  set(source ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}.cc)
  if(TANDEM_FUZZ)
    add_executable(fuzz_${name} ${source})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cc)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
  endif()
  target_link_libraries(fuzz_${name} PRIVATE ${uses} tandem_flags)
  add_dependencies(fuzzers fuzz_${name})
endfunction()

foreach(part support fuzz sim scenario integration golden tidy install bench bench/micro tour)
  if(EXISTS ${PROJECT_SOURCE_DIR}/tests/${part}/CMakeLists.txt)
    add_subdirectory(tests/${part})
  endif()
endforeach()
