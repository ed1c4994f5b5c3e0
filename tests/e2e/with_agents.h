#ifndef TESTS_E2E_WITH_AGENTS_H_
#define TESTS_E2E_WITH_AGENTS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tools/cli/agent_cluster.h"

namespace cachalot::tools {

// A fixture whose tests share one cluster of `kSize` agents, all of which vote
// that may.
template <int kSize, typename Base = testing::Test>
class WithAgents : public Base {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new AgentCluster(AgentCluster::Create({.size = kSize}).value());
    ASSERT_TRUE(cluster_->StartAll().ok());
    const absl::Status status = cluster_->AwaitVoters(0, absl::Seconds(30));
    ASSERT_TRUE(status.ok()) << status;
  }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }

  static inline AgentCluster* cluster_ = nullptr;
};

}  // namespace cachalot::tools

#endif  // TESTS_E2E_WITH_AGENTS_H_
