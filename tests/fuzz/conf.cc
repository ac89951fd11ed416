// Conf files: whatever the bytes, a conf or complaints, and what was read shows the same again.
#include "lb/conf/conf.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/error.h"
#include "common/config/reader.h"
#include "server/conf/conf.h"

namespace {

template <class T>
void read(const tandem::Schema<T>& schema, const std::string& text) {
  const auto reading = tandem::read_conf(schema, tandem::ConfText{"etc/fuzz.toml", text});
  if (!reading) {
    // Every complaint begins a line, and names the file.
    TANDEM_CHECK(reading.error().starts_with("etc/fuzz.toml:"));
    TANDEM_CHECK(reading.error().ends_with('\n'));
    return;
  }
  TANDEM_CHECK(tandem::restart_needed(schema, reading->conf, reading->conf).empty());
  TANDEM_CHECK(reading->places.complain("front.listen[0]", "x").starts_with("etc/fuzz.toml:"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read(tandem::lb::schema(), text);
  read(tandem::server::schema(), text);
  return 0;
}
