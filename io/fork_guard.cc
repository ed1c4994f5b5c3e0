#include "io/fork_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <utility>

namespace cachalot {
namespace {

struct Kept {
  std::shared_ptr<void> object;
  Kept* next = nullptr;
};

// A list of its own and not a container under a mutex: it is used in children.
std::atomic<Kept*> all_kept{nullptr};

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

ForkGuard::ForkGuard() : process_(getpid()) {
  void* page = mmap(nullptr, PageSize(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, PageSize(), MADV_WIPEONFORK) != 0) {
    munmap(page, PageSize());
    return;
  }
  mark_ = new (page) std::atomic<int>(1);
}

ForkGuard::~ForkGuard() {
  if (mark_ != nullptr) munmap(mark_, PageSize());
}

bool ForkGuard::IsForked() const {
  if (mark_ == nullptr) return getpid() != process_;
  return mark_->load(std::memory_order_relaxed) == 0;
}

absl::Status ForkedError() {
  return absl::FailedPreconditionError(
      "this process was forked from the one that has this member: create "
      "another here");
}

void KeepForever(std::shared_ptr<void> object) {
  auto* kept = new Kept{.object = std::move(object)};
  kept->next = all_kept.load();
  while (!all_kept.compare_exchange_weak(kept->next, kept)) {
  }
}

}  // namespace cachalot
