# libtandem as others use it: one archive with all that the client library consists of, its public
# headers, and what CMake and pkg-config need to find them.
include(CMakePackageConfigHelpers)

# All static libraries of the house that a target is linked with, itself among them.
function(tandem_archives out target)
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
  set(archives)
  foreach(each IN LISTS found)
    get_target_property(type ${each} TYPE)
    # The client speaks neither the control nor the peer wire, and needs no protobuf.
    if(type STREQUAL STATIC_LIBRARY AND NOT each STREQUAL tandem_common_wire)
      list(APPEND archives ${each})
    endif()
  endforeach()
  set(${out} ${archives} PARENT_SCOPE)
endfunction()

tandem_archives(archives tandem_client_io)
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
