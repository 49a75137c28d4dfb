# What an installed tree has besides the programs: the CMake package (actc::actc, and the command as actc::command), the
# pkg-config file, which finds its tree by its own place, and the man page.
include(CMakePackageConfigHelpers)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/actc")
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/actcConfig.cmake.in ${PROJECT_BINARY_DIR}/actcConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/actcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/actcConfig.cmake ${PROJECT_BINARY_DIR}/actcConfigVersion.cmake DESTINATION ${package})
install(EXPORT actcTargets NAMESPACE actc:: DESTINATION ${package})

file(RELATIVE_PATH ACTC_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" ACTC_PC_PREFIX "${ACTC_PC_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/actc.pc.in ${PROJECT_BINARY_DIR}/actc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/actc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES ${PROJECT_SOURCE_DIR}/docs/actc.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
