#ifndef ENGINE_CLIENT_CLIENT_H_
#define ENGINE_CLIENT_CLIENT_H_
// Being written. The views that watchers may rely on:
//
//   struct Held { RequestId request; std::string key; FencingToken token;
//                 FastInstant belief_end; Belief belief; };
//   std::vector<Held> held() const;      // all grants not yet lost
//   bool has_session() const; SessionId session() const;
//   FastInstant session_belief_end() const;
#endif
