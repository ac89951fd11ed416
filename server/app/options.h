// From the conf file's structs to the options of the parts.
#pragma once

#include "common/net/http_client.h"
#include "server/conf/conf.h"
#include "server/core/item_guard.h"
#include "server/core/node_options.h"
#include "server/io/buddies.h"
#include "server/io/front.h"
#include "server/io/source_cached.h"
#include "server/io/source_guard.h"
#include "server/io/source_sqlite.h"
#include "server/io/type_source.h"

namespace tandem::server {

NodeOptions node_options(const Conf& conf);
BuddiesOptions buddies_options(const Conf& conf);
TypeSourceOptions type_options(const Conf& conf);
Ownership ownership(const Conf& conf);
ItemGuardOptions fence_options(const Conf& conf);
FrontOptions front_options(const Conf& conf);
HttpClientOptions client_options(const SourceConf& conf);
CachedSource::Options cache_options(const Conf& conf);
SourceGuard::Options guard_options(const SourceConf& conf);
ItemDatabase::Options database_options(const Conf& conf);
SqliteSource::Options sqlite_options(const SourceConf& conf);

}  // namespace tandem::server
