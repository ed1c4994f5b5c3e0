#ifndef TESTS_IO_KEPT_LOG_H_
#define TESTS_IO_KEPT_LOG_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "io/log.h"

namespace cachalot {

// Keeps what is logged. Thread-safe; outlives the logger.
class KeptLog {
 public:
  LogFunction Function() {
    return [this](const LogRecord& record) {
      const absl::MutexLock lock(&mutex_);
      records_.push_back(record);
    };
  }
  std::vector<LogRecord> Records() const {
    const absl::MutexLock lock(&mutex_);
    return records_;
  }
  std::vector<std::string> Messages() const {
    std::vector<std::string> messages;
    for (const LogRecord& record : Records()) {
      messages.push_back(record.message);
    }
    return messages;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<LogRecord> records_ ABSL_GUARDED_BY(mutex_);
};

// As LogEventInfo::fields has them: "key, owner, token".
inline std::string FieldNames(const LogRecord& record) {
  return absl::StrJoin(record.fields, ", ",
                       [](std::string* text, const LogField& field) {
                         text->append(field.name.data(), field.name.size());
                       });
}

}  // namespace cachalot

#endif  // TESTS_IO_KEPT_LOG_H_
