# What Tandem is built with: packages of Debian 12, each with the reason that it is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)           # text: std::format is not in g++ 12
find_package(spdlog REQUIRED)        # the log
find_package(OpenSSL 3 REQUIRED)     # TLS, AES-SIV, HKDF, SHA-256
find_package(ZLIB REQUIRED)          # CRC-32
find_package(SQLite3 REQUIRED)       # the directory, a data source, the client's cache on disk
find_package(Protobuf REQUIRED)      # the control and peer wires
find_package(tomlplusplus REQUIRED)  # conf files, with the position of each value; headers only, no library
find_package(CLI11 REQUIRED)         # command lines
find_package(tl-expected REQUIRED)   # std::expected is not in C++20
pkg_check_modules(libevent REQUIRED IMPORTED_TARGET libevent_core libevent_pthreads)  # the loop
