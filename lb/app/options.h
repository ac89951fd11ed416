// From the conf to the options of the parts.
#pragma once

#include <vector>

#include "lb/conf/conf.h"
#include "lb/core/membership.h"
#include "lb/io/check.h"
#include "lb/io/front_options.h"

namespace tandem {

// All but `tls` and `keys`, which have to be read from files first.
FrontOptions front_options(const lb::Conf& conf, ClusterKeys keys);
Membership::Options membership_options(const lb::Conf& conf);
std::vector<PlainServer> plain_servers(const lb::Conf& conf);
RoutesPtr routes(const lb::Conf& conf);
Checker::Options check_options(const lb::Conf& conf);

// The directory's file; empty: none.
std::string directory_file(const lb::Conf& conf, const std::string& conf_file);

// The file of the balancer's own key, where the conf names none: beside the conf file.
std::string own_key_file(const std::string& conf_file);

}  // namespace tandem
