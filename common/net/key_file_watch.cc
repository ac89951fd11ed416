#include "common/net/key_file_watch.h"

#include <utility>

#include "common/base/log.h"
#include "common/net/key_file.h"

namespace tandem {

bool KeyFileWatch::Look::operator==(const Look& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec;
}

KeyFileWatch::KeyFileWatch(EventLoop& loop, std::string file,
                           std::function<void(ClusterKeys)> on_keys, Duration look_interval)
    : file_(std::move(file)),
      on_keys_(std::move(on_keys)),
      interval_(look_interval),
      taken_(look()),
      last_(taken_),
      timer_(loop, [this] { on_time(); }) {
  timer_.set_after(interval_);
}

KeyFileWatch::Look KeyFileWatch::look() const {
  struct stat about {};
  if (::stat(file_.c_str(), &about) != 0) return {};
  return {about.st_dev, about.st_ino, about.st_size, about.st_mtim};
}

void KeyFileWatch::on_time() {
  timer_.set_after(interval_);
  const Look now = look();
  const bool settled = now == std::exchange(last_, now);
  if (now == taken_ || !settled) return;
  taken_ = now;
  auto keys = load_keys(file_);
  if (keys) return on_keys_(std::move(*keys));
  log::error("{}; the old keys stay in force", keys.error().message);
}

}  // namespace tandem
