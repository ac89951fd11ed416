#include "common/net/key_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "common/base/log.h"
#include "common/crypto/base64url.h"
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

// A file's text and what the system says of it.
struct Contents {
  std::string text;
  struct stat about {};
};

Result<Contents> read_file(const std::string& file) {
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  Contents contents;
  if (!fd || ::fstat(fd.get(), &contents.about) != 0) return fail(file_error(file, "read"));
  std::string& text = contents.text;
  char bytes[4096];
  while (text.size() <= kKeyFileBytesMax) {
    const ssize_t n = ::read(fd.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(file_error(file, "read"));
    if (n == 0) return contents;
    text.append(bytes, static_cast<std::size_t>(n));
  }
  return fail(Error::conf("key file " + file + " is too large"));
}

// The lines of the old file without those of the keys that go, and the new one.
std::string rotated_text(std::string_view text, const ClusterKeys& before,
                         const ClusterKeys& after) {
  const auto goes = [&](std::string_view line) {
    return std::any_of(before.keys().begin(), before.keys().end(), [&](const ClusterKey& key) {
      const auto& kept = after.keys();
      return std::find(kept.begin(), kept.end(), key) == kept.end() &&
             line.find(base64url_encode(key.secret)) != line.npos;
    });
  };
  std::string result;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (goes(line)) continue;
    result += line;
    result += '\n';
  }
  return result + after.keys().back().line();
}

// Written beside the file and then put in its place.
Result<void> replace_file(const std::string& file, const struct stat& about,
                          std::string_view text) {
  std::string beside = file + ".XXXXXX";
  const Descriptor fd(::mkostemp(beside.data(), O_CLOEXEC));
  if (!fd) return fail(file_error(beside, "make"));
  const bool same_owner = about.st_uid == ::geteuid() && about.st_gid == ::getegid();
  if ((!same_owner && ::fchown(fd.get(), about.st_uid, about.st_gid) != 0) ||
      ::fchmod(fd.get(), about.st_mode & 0777) != 0 || !write_all(fd.get(), text) ||
      ::fsync(fd.get()) != 0 || ::rename(beside.c_str(), file.c_str()) != 0) {
    Error error = file_error(file, "replace");
    ::unlink(beside.c_str());
    return fail(std::move(error));
  }
  const Descriptor folder(
      ::open(file.substr(0, file.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());  // some file systems cannot; the file is whole in any case
  return {};
}

}  // namespace

Result<ClusterKeys> load_keys(const std::string& file) {
  const auto contents = read_file(file);
  if (!contents) return fail(contents.error());
  if ((contents->about.st_mode & 077) != 0) {
    log::warn("key file {} can be read by others than its owner: chmod 600 it", file);
  }
  return ClusterKeys::parse(contents->text, file);
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

Result<KeyRotation> rotate_key_file(const std::string& file, UnixSeconds now, Duration delay,
                                    Duration keep) {
  // Where the file is a link, what it points to is replaced.
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(file.c_str(), nullptr),
                                                         &std::free);
  if (real == nullptr) return fail(file_error(file, "read"));
  const auto contents = read_file(real.get());
  if (!contents) return fail(contents.error());
  const auto before = ClusterKeys::parse(contents->text, file);
  if (!before) return fail(before.error());
  ClusterKey fresh;
  system_random(fresh.secret.data(), fresh.secret.size());
  fresh.seals_from = now + delay / 1s;
  const auto after = before->rotated(fresh, now, keep / 1s);
  if (!after) return fail(after.error());
  const auto done =
      replace_file(real.get(), contents->about, rotated_text(contents->text, *before, *after));
  if (!done) return fail(done.error());
  const std::size_t listed = after->keys().size();
  return KeyRotation{after->keys().back(), before->keys().size() + 1 - listed, listed};
}

}  // namespace tandem
