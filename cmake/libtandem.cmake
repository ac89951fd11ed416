# libtandem as others use it: one archive with all that the client library consists of, its public
# headers, and what CMake and pkg-config need to find them.
include(CMakePackageConfigHelpers)

# All static libraries of the house that a target is linked with, itself among them.
function(tandem_archive_targets out target)
  set(found ${target})
  set(open ${target})
  while(open)
    list(POP_FRONT open at)
    get_target_property(uses ${at} INTERFACE_LINK_LIBRARIES)
    string(REGEX MATCHALL "tandem_[a-z_]+" uses "${uses}")
    foreach(use IN LISTS uses)
      if(TARGET ${use} AND NOT use IN_LIST found)
        list(APPEND found ${use})
        list(APPEND open ${use})
      endif()
    endforeach()
  endwhile()
  set(parts)
  foreach(each IN LISTS found)
    get_target_property(type ${each} TYPE)
    # The client speaks neither the control nor the peer wire, and needs no protobuf.
    if(type STREQUAL STATIC_LIBRARY AND NOT each STREQUAL tandem_common_wire)
      list(APPEND parts ${each})
    endif()
  endforeach()
  set(${out} ${parts} PARENT_SCOPE)
endfunction()

tandem_archive_targets(archives tandem_client_io)
set(libtandem ${PROJECT_BINARY_DIR}/lib/libtandem.a)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(script "create ${libtandem}\n")
foreach(archive IN LISTS archives)
  string(APPEND script "addlib $<TARGET_FILE:${archive}>\n")
endforeach()
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/lib/libtandem.mri CONTENT "${script}save\nend\n")
add_custom_command(OUTPUT ${libtandem}
  COMMAND ${CMAKE_AR} -M < ${PROJECT_BINARY_DIR}/lib/libtandem.mri
  DEPENDS ${archives} ${PROJECT_BINARY_DIR}/lib/libtandem.mri
  COMMENT "Putting libtandem.a together" VERBATIM)
add_custom_target(libtandem ALL DEPENDS ${libtandem})

# The shared library, of the same objects, which are position-independent then: the programs pay a
# little for that, and hence it is not the default. Only what the public headers declare is visible.
option(TANDEM_SHARED "build libtandem.so, too" OFF)
if(TANDEM_SHARED)
  set_target_properties(${archives} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  foreach(archive IN LISTS archives)
    target_compile_options(${archive} PRIVATE -fno-semantic-interposition)
  endforeach()
  add_library(tandem_so SHARED $<TARGET_OBJECTS:tandem_client_core> $<TARGET_OBJECTS:tandem_client_io>)
  set(map ${CMAKE_CURRENT_LIST_DIR}/libtandem.map)
  target_link_libraries(tandem_so PRIVATE tandem_client_io)
  target_link_options(tandem_so PRIVATE -Wl,--version-script=${map} -Wl,--no-undefined
                                        -Wl,--as-needed)
  set_target_properties(tandem_so PROPERTIES OUTPUT_NAME tandem LINK_DEPENDS ${map}
    LINKER_LANGUAGE CXX LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  install(TARGETS tandem_so LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libtandem
          NAMELINK_COMPONENT libtandem)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tandem)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/tandemConfig.cmake.in
  ${PROJECT_BINARY_DIR}/lib/tandemConfig.cmake INSTALL_DESTINATION ${package_dir}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lib/tandemConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/tandem.pc.in ${PROJECT_BINARY_DIR}/lib/tandem.pc @ONLY)

install(FILES ${libtandem} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libtandem)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT libtandem FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/lib/tandemConfig.cmake
              ${PROJECT_BINARY_DIR}/lib/tandemConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT libtandem)
install(FILES ${PROJECT_BINARY_DIR}/lib/tandem.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT libtandem)
