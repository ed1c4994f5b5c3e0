#ifndef ENGINE_OVERLOADED_H_
#define ENGINE_OVERLOADED_H_

namespace cachalot {

// One visitor for std::visit, made of several lambdas:
//
//   std::visit(Overloaded{[](const Ping& p) {...}, [](const Ack& a) {...}}, m);
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace cachalot

#endif  // ENGINE_OVERLOADED_H_
