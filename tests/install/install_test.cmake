# See CMakeLists.txt.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}: ${status}\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${TREE})
run(${CMAKE_COMMAND} --install ${BUILD} --component libtandem --prefix ${TREE}/usr)
run(${CMAKE_COMMAND} -S ${EXAMPLE} -B ${TREE}/build -G Ninja
    -D CMAKE_PREFIX_PATH=${TREE}/usr -D CMAKE_CXX_FLAGS=${FLAGS} -D CMAKE_CXX_COMPILER=${COMPILER})
run(${CMAKE_COMMAND} --build ${TREE}/build)
# Nobody listens on port 1: the library is at work when it says so.
run(${TREE}/build/fetch http://127.0.0.1:1 /)
if(NOT out MATCHES "cannot connect")
  message(FATAL_ERROR "the example said:\n${out}")
endif()
