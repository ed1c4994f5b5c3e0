#ifndef SIM_REPORT_PAGE_ASSETS_H_
#define SIM_REPORT_PAGE_ASSETS_H_

namespace cachalot::sim {

// The files beside this one, as the build has put them into the program.
extern const char kPageHtml[];
extern const char kPageCss[];
// In the order in which the page runs them; after the last comes null. Apart,
// since compilers owe us no literal beyond 64 KiB.
extern const char* const kPageScripts[];

}  // namespace cachalot::sim

#endif  // SIM_REPORT_PAGE_ASSETS_H_
