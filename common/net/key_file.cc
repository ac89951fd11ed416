#include "common/net/key_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/net/descriptor.h"
#include "common/net/entropy.h"

namespace tandem {
namespace {

Error file_error(const std::string& file, const char* what) {
  return Error::conf(std::string("cannot ") + what + " key file " + file + ": " +
                     std::strerror(errno));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

TlsPsk psk_of(const ClusterKey& key) {
  const ClusterKey::Psk psk = key.psk();
  return {fmt::format("{:016x}", key.id()), std::string(psk.begin(), psk.end())};
}

}  // namespace

Result<ClusterKeys> load_keys(const std::string& file) {
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(file_error(file, "read"));
  struct stat about {};
  if (::fstat(fd.get(), &about) == 0 && (about.st_mode & 077) != 0) {
    log::warn("key file {} can be read by others than its owner: chmod 600 it", file);
  }
  std::string text;
  char bytes[4096];
  while (text.size() <= kKeyFileBytesMax) {
    const ssize_t n = ::read(fd.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(file_error(file, "read"));
    if (n == 0) return ClusterKeys::parse(text, file);
    text.append(bytes, static_cast<std::size_t>(n));
  }
  return fail(Error::conf("key file " + file + " is too large"));
}

Result<ClusterKey> create_key_file(const std::string& file) {
  ClusterKey key;
  system_random(key.secret.data(), key.secret.size());
  // O_EXCL: of two that make it at the same time one does.
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail(file_error(file, "make"));
  const std::string text =
      "# Tandem's cluster key. Who has it is a member; keep it secret.\n" + key.line();
  if (!write_all(fd.get(), text) || ::fsync(fd.get()) != 0) {
    Error error = file_error(file, "write");
    ::unlink(file.c_str());  // half a key would only be refused later
    return fail(std::move(error));
  }
  return key;
}

Result<ClusterKeys> load_or_create_keys(const std::string& file) {
  if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) {
    const auto made = create_key_file(file);
    if (made) return ClusterKeys({*made});
    if (::access(file.c_str(), F_OK) != 0) return fail(made.error());
  }
  return load_keys(file);
}

std::shared_ptr<const TlsContext> accepting_context(const ClusterKeys& keys) {
  std::vector<TlsPsk> psks;
  for (const ClusterKey& key : keys.keys()) psks.push_back(psk_of(key));
  return TlsContext::psk_server(std::move(psks));
}

std::shared_ptr<const TlsContext> connecting_context(const ClusterKeys& keys, UnixSeconds now) {
  return TlsContext::psk_client(psk_of(keys.sealing(now)));
}

}  // namespace tandem
