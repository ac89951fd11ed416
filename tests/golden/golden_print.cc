// Prints what is generated from the conf schemas, for the files in conf/ and man/:
//
//   golden_print sample|manual lb|server
#include <cstdio>
#include <string>

#include "common/config/listing.h"
#include "lb/conf/conf.h"
#include "server/conf/conf.h"

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  const std::string whose = argc == 3 ? argv[2] : "";
  if ((what != "sample" && what != "manual") || (whose != "lb" && whose != "server")) {
    std::fputs("usage: golden_print sample|manual lb|server\n", stderr);
    return 2;
  }
  const tandem::TableSpec& top =
      whose == "lb" ? tandem::lb::schema().top.spec() : tandem::server::schema().top.spec();
  const std::string text =
      what == "sample" ? tandem::sample_conf(top) : tandem::manual_options(top);
  std::fputs(text.c_str(), stdout);
  return 0;
}
