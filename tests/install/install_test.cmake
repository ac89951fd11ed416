# See CMakeLists.txt.
cmake_minimum_required(VERSION 3.25)
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}: ${status}\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

# Nobody listens on port 1: the library is at work when it says so.
function(try_example program)
  run(${program} http://127.0.0.1:1 / /x)
  if(NOT out MATCHES "/x: .*cannot connect")
    message(FATAL_ERROR "${program} said:\n${out}")
  endif()
endfunction()

file(REMOVE_RECURSE ${TREE})
run(${CMAKE_COMMAND} --install ${BUILD} --component libtandem --prefix ${TREE}/usr)
run(${CMAKE_COMMAND} -S ${EXAMPLES} -B ${TREE}/build -G Ninja
    -D CMAKE_PREFIX_PATH=${TREE}/usr -D CMAKE_CXX_FLAGS=${FLAGS} -D CMAKE_CXX_COMPILER=${COMPILER})
run(${CMAKE_COMMAND} --build ${TREE}/build)
try_example(${TREE}/build/fetch)
try_example(${TREE}/build/fetch_all)

# The shared library, where it was built: programs see what the headers declare, and nothing else.
file(GLOB_RECURSE shared ${TREE}/usr/*/libtandem.so)
if(shared)
  try_example(${TREE}/build/fetch_shared)
  cmake_path(GET shared PARENT_PATH libdir)
  set(rpath -Wl,-rpath,${libdir})
  run(readelf -dW ${shared})
  if(NOT out MATCHES "SONAME[^\n]*\\[libtandem\\.so\\.[0-9]+\\.[0-9]+\\]" OR out MATCHES "protobuf")
    message(FATAL_ERROR "${shared}:\n${out}")
  endif()
  run(nm -DC --defined-only ${shared})
  string(REGEX REPLACE "[0-9a-f]+ A TANDEM_[0-9.]+\n" "" foreign "${out}")
  string(REGEX REPLACE
    "[0-9a-f]+ [TW] tandem::((Async)?Client|Reply)::[~= A-Za-z_]+(\\[abi:cxx11\\])?\\([^\n]*@@TANDEM_[0-9.]+\n"
    "" foreign "${foreign}")
  string(REGEX REPLACE "[^\n]* tandem::name_of\\(tandem::ReplySource\\)@@[^\n]*\n" "" foreign "${foreign}")
  if(foreign OR NOT out MATCHES " tandem::AsyncClient::start\\(")
    message(FATAL_ERROR "${shared} exports more than the headers declare, or less:\n${foreign}")
  endif()
endif()

# And with pkg-config.
file(GLOB_RECURSE description ${TREE}/usr/*/tandem.pc)
cmake_path(GET description PARENT_PATH descriptions)
set(ENV{PKG_CONFIG_PATH} ${descriptions})
run(pkg-config --define-variable=prefix=${TREE}/usr --cflags --libs tandem)
string(REGEX REPLACE "[ \n]+" ";" how "${out}")
string(REPLACE " " ";" flags "${FLAGS}")
list(REMOVE_ITEM how "")
list(REMOVE_ITEM flags "")
run(${COMPILER} -std=c++20 ${flags} ${EXAMPLES}/fetch.cc -o ${TREE}/fetch ${how} ${rpath})
try_example(${TREE}/fetch)
