// The sections that every program's conf has, and small value types of conf structs.
//
// A conf struct's member initialisers are the defaults: the schema takes them from there.
// Paths in a conf struct are already joined with the folder of the conf file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/address.h"
#include "common/base/time.h"

namespace tandem {

struct AdminConf {
  std::optional<Address> listen;  // none: no admin listener
};

enum class LogFormat : std::uint8_t { kText, kJson };

struct LogConf {
  std::string access = "off";           // "off", "stdout" or a path
  LogFormat format = LogFormat::kText;  // of access lines
};

inline constexpr std::uint32_t kHttpFieldsMax = 128;  // no conf may grant more in one head
inline constexpr std::uint64_t kHttpHeadBytesMax = 128 * 1024;  // nor a larger one

// What one HTTP listener grants its clients.
struct HttpLimitsConf {
  Duration header_timeout = 10s;     // from a request's first byte to the end of its head
  Duration keepalive_timeout = 60s;  // idle between two requests
  Duration body_timeout = 60s;       // no byte of a body or tunnel has moved, either way
  std::uint64_t head_bytes_max = 32 * 1024;
  std::uint32_t fields_max = 100;
  std::uint32_t connections_max = 10000;  // of the whole process; more are closed at once
};

}  // namespace tandem
