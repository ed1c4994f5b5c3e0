#ifndef TESTS_README_FENCING_H_
#define TESTS_README_FENCING_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "cachalot/coordinator.h"

// The store of tools/fencing.md.
class Account {
 public:
  // Errors: FailedPrecondition (a higher token has been seen).
  absl::Status Write(int64_t balance, uint64_t token) {
    if (!tokens_.empty() && token < tokens_.back()) {
      return absl::FailedPreconditionError("another has held the lock since");
    }
    tokens_.push_back(token);
    balance_ = balance;
    return absl::OkStatus();
  }

  int64_t balance() const { return balance_; }
  const std::vector<uint64_t>& tokens() const { return tokens_; }

 private:
  int64_t balance_ = 100;
  std::vector<uint64_t> tokens_;  // of the writes
};

// The function of the page.
absl::Status SetBalance(cachalot::Coordinator& coordinator, Account& account,
                        int64_t balance);

#endif  // TESTS_README_FENCING_H_
