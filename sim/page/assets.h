#ifndef SIM_PAGE_ASSETS_H_
#define SIM_PAGE_ASSETS_H_

namespace cachalot::sim {

// The files beside this one, as the build has put them into the program.
extern const char kPageHtml[];
extern const char kPageCss[];
extern const char kPageScript[];

}  // namespace cachalot::sim

#endif  // SIM_PAGE_ASSETS_H_
