#include "lb/core/directory_queue.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace tandem {
namespace {

// Rows and removals of two changes as those of one.
template <class Row, class Key>
void overlay(std::vector<Row>& rows, std::vector<Row> newer, Key key) {
  std::map<ServerId, Row> last;
  for (Row& row : rows) last.insert_or_assign(key(row), std::move(row));
  for (Row& row : newer) last.insert_or_assign(key(row), std::move(row));
  rows.clear();
  for (auto& [id, row] : last) rows.push_back(std::move(row));
}

ServerId id_of(const ServerRow& row) { return row.id; }
ServerId server_of(const BuddiesRow& row) { return row.server; }
bool empty(const BuddiesRow& row) { return !row.first && !row.second; }

void coalesce(DirectoryChange& older, DirectoryChange newer) {
  older.view_version = newer.view_version;
  const std::set<ServerId> gone(newer.removed.begin(), newer.removed.end());
  std::erase_if(older.servers, [&](const ServerRow& row) { return gone.count(row.id) != 0; });
  std::erase_if(older.buddies, [&](const BuddiesRow& row) { return gone.count(row.server) != 0; });
  std::set<ServerId> removed(older.removed.begin(), older.removed.end());
  removed.insert(gone.begin(), gone.end());
  older.removed.assign(removed.begin(), removed.end());
  overlay(older.servers, std::move(newer.servers), id_of);
  overlay(older.buddies, std::move(newer.buddies), server_of);
  if (newer.drained) older.drained = std::move(newer.drained);
  std::move(newer.events.begin(), newer.events.end(), std::back_inserter(older.events));
}

// What turns the rows that are into those that should be.
template <class Row, class Key>
std::vector<Row> difference(const std::vector<Row>& are, const std::map<ServerId, Row>& should_be,
                            Key key, std::vector<ServerId>& gone) {
  std::vector<Row> rows;
  std::map<ServerId, const Row*> there;
  for (const Row& row : are) {
    there.emplace(key(row), &row);
    if (should_be.count(key(row)) == 0) gone.push_back(key(row));
  }
  for (const auto& [id, row] : should_be) {
    const auto found = there.find(id);
    if (found == there.end() || *found->second != row) rows.push_back(row);
  }
  return rows;
}

}  // namespace

void DirectoryQueue::push(DirectoryChange change) {
  view_version_ = change.view_version;
  for (const ServerId id : change.removed) {
    truth_.servers.erase(id);
    truth_.buddies.erase(id);
  }
  if (change.drained) truth_.drained = change.drained;
  for (const ServerRow& row : change.servers) truth_.servers.insert_or_assign(row.id, row);
  for (const BuddiesRow& row : change.buddies) {
    if (empty(row)) {
      truth_.buddies.erase(row.server);
    } else {
      truth_.buddies.insert_or_assign(row.server, row);
    }
  }
  add(std::move(change));
}

// Removals come before rows when a change is written (a server removed and registered again in one
// is there), and in coalesce().
void DirectoryQueue::add(DirectoryChange change) {
  events_ += change.events.size();
  // The last one is merged into only if it is not the first, which may have been tried.
  if (pending_.size() >= std::max<std::size_t>(options_.pending_max, 2)) {
    ++coalesced_;
    coalesce(pending_.back().change, std::move(change));
  } else {
    pending_.push_back({options_.writer, ++last_number_, std::move(change)});
  }
  drop_events();
}

// The oldest that cannot have been written already.
void DirectoryQueue::drop_events() {
  for (std::size_t i = front_tried_ ? 1 : 0; events_ > options_.events_max && i < pending_.size();
       ++i) {
    auto& events = pending_[i].change.events;
    const std::size_t count = std::min(events.size(), events_ - options_.events_max);
    events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(count));
    events_ -= count;
    events_dropped_ += count;
  }
}

DirectoryQueue::Step DirectoryQueue::step(Instant now) {
  switch (state_) {
    case State::kClosed:
      if (now < retry_) return Step::kNothing;
      state_ = State::kOpening;
      asked_ = now;
      return Step::kOpen;
    case State::kOpen:
      if (pending_.empty()) return Step::kNothing;
      state_ = State::kWriting;
      asked_ = now;
      front_tried_ = true;
      return Step::kWrite;
    case State::kOpening:
    case State::kWriting:
      if (away_since_ == kNever && now - asked_ >= options_.patience) {
        away_since_ = asked_;
        failure_ = "no answer";
      }
      return Step::kNothing;
  }
  return Step::kNothing;
}

Instant DirectoryQueue::next_deadline() const {
  switch (state_) {
    case State::kClosed:
      return retry_;
    case State::kOpen:
      return pending_.empty() ? kNever : Instant{};
    case State::kOpening:
    case State::kWriting:
      return away_since_ == kNever ? asked_ + options_.patience : kNever;
  }
  return kNever;
}

void DirectoryQueue::on_opened(const DirectoryContents& contents) {
  state_ = State::kOpen;
  if (!recognise(contents)) start_anew(contents);
  if (pending_.empty()) done();
}

// Does it hold what this process wrote, and nothing else? Then a change that was written without
// our hearing of it is pending no longer.
bool DirectoryQueue::recognise(const DirectoryContents& contents) {
  if (!known_ || contents.writer != options_.writer) return false;
  const std::uint64_t confirmed = last_number_ - pending_.size();
  const bool all = front_tried_ && contents.last_change == confirmed + 1;
  if (!all && contents.last_change != confirmed) return false;
  if (all) on_written();
  front_tried_ = false;
  return true;
}

// Of what is pending only the events are still of use; the rows are compared anew.
void DirectoryQueue::start_anew(const DirectoryContents& contents) {
  DirectoryChange change;
  for (NumberedChange& one : pending_) {
    std::move(one.change.events.begin(), one.change.events.end(),
              std::back_inserter(change.events));
  }
  pending_.clear();
  events_ = 0;
  front_tried_ = false;
  last_number_ = contents.last_change;
  if (!std::exchange(known_, true)) {
    view_version_ = std::max(view_version_, contents.view_version);
    for (const ServerRow& row : contents.servers) truth_.servers.emplace(row.id, row);
    for (const BuddiesRow& row : contents.buddies) truth_.buddies.emplace(row.server, row);
    if (!truth_.drained) truth_.drained = contents.drained;
  }
  std::vector<ServerId> without_buddies;
  change.view_version = view_version_;
  change.servers = difference(contents.servers, truth_.servers, id_of, change.removed);
  change.buddies = difference(contents.buddies, truth_.buddies, server_of, without_buddies);
  for (const ServerId id : without_buddies) change.buddies.push_back({id, {}, {}});
  if (truth_.drained != contents.drained) change.drained = truth_.drained;
  if (change.servers.empty() && change.removed.empty() && change.buddies.empty() &&
      change.events.empty() && !change.drained) {
    return;
  }
  add(std::move(change));
}

void DirectoryQueue::on_written() {
  ++written_;
  events_ -= pending_.front().change.events.size();
  pending_.pop_front();
  front_tried_ = false;
  state_ = State::kOpen;
  done();
}

void DirectoryQueue::done() {
  away_since_ = kNever;
  failures_ = 0;
  failure_.clear();
}

bool DirectoryQueue::on_failed(Instant now, const std::string& failure) {
  state_ = State::kClosed;
  ++failures_;
  retry_ = now + options_.retry.delay(failures_, dice_);
  if (away_since_ == kNever) away_since_ = now;
  if (failure_ == failure) return false;
  failure_ = failure;
  return true;
}

Duration DirectoryQueue::unavailable_for(Instant now) const {
  return away_since_ == kNever ? Duration{} : now - away_since_;
}

}  // namespace tandem
