"""Tests the HTML page of a run in a browser.

Opens pages that write_runs.cc and the simulator wrote in headless Chromium,
uses mouse and keys as a person would, and reads what the page then says.

  page_test.py FOLDER
"""

import os
import sys
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# For what takes no time unless the machine is very busy.
PATIENCE_S = 60

FOLDER = sys.argv.pop()


def start_browser():
    temporary = os.environ["TEST_TMPDIR"]
    os.environ["HOME"] = temporary
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for argument in [
        "--headless=new",
        "--no-sandbox",  # tests may run as root
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1440,900",
        "--user-data-dir=" + os.path.join(temporary, "profile"),
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(
        service=Service("/usr/bin/chromedriver"), options=options)
    browser.set_page_load_timeout(PATIENCE_S)
    browser.set_script_timeout(PATIENCE_S)
    return browser


class PageTest(unittest.TestCase):
    """Opens one page for each test."""

    page = None

    @classmethod
    def setUpClass(cls):
        cls.browser = start_browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def setUp(self):
        self.browser.get("file://" + os.path.join(FOLDER, self.page))
        self.wait(lambda: self.text("shown") != "")

    def tearDown(self):
        self.assertEqual(self.browser.get_log("browser"), [])

    # What the page says.

    def element(self, name):
        return self.browser.find_element(By.ID, name)

    def elements(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, name):
        return self.element(name).text

    def ask(self, script):
        return self.browser.execute_script("return " + script)

    def wait(self, condition):
        WebDriverWait(self.browser, PATIENCE_S).until(lambda _: condition())

    def wait_for_change(self, name, act):
        """Does `act` and returns what the element said before and after."""
        before = self.text(name)
        act()
        self.wait(lambda: self.text(name) != before)
        return before, self.text(name)

    def step(self):
        """The number of the selected step, from 1."""
        return int(self.text("position").split(" of ")[0].replace(",", ""))

    def node(self):
        return self.elements("#details h3")[0].text.split(" ")[0]

    def drawn(self):
        return int(self.text("shown").split(" ")[0].replace(",", ""))

    def span(self):
        return self.ask("page.view.span")

    # What a person does.

    def press(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()

    def press_with_shift(self, key):
        ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(
            key).key_up(Keys.SHIFT).perform()

    def move_to(self, x, y):
        """Moves to a point of the canvas, relative to its upper left corner."""
        canvas = self.element("lanes")
        size = canvas.size
        return ActionChains(self.browser).move_to_element_with_offset(
            canvas, int(x - size["width"] / 2), int(y - size["height"] / 2))

    def point_of(self, step):
        return self.ask(
            f"[page.view.x(page.run.at[{step - 1}]),"
            f" page.layout.laneOf.get(page.run.host[{step - 1}]).middle]")

    def chip(self, group, text):
        for chip in self.elements(f"#{group} .chip"):
            if chip.text.split("\n")[0].split(" ")[0] == text:
                return chip
        raise AssertionError(f"no chip {text} in {group}")

    def colour_at(self, x, y):
        return self.ask(
            "[...page.lanes.context.getImageData("
            f"{x} * devicePixelRatio, {y} * devicePixelRatio, 1, 1).data]")


class FailingPageTest(PageTest):
    page = "failing.html"

    def test_the_first_screen_shows_the_violation(self):
        self.assertEqual(self.text("verdict"), "failed")
        self.assertIn("believe", self.text("sentence"))
        self.assertIn("failed", self.browser.title)
        violation = self.elements("#details .violation")[0].text
        self.assertEqual(violation, self.text("sentence"))
        self.assertEqual(self.step(), self.ask("page.run.heading.failedStep") + 1)
        self.assertIn("the violation", self.text("story"))

    def test_the_failing_step_is_marked_on_its_lane(self):
        x, y = self.point_of(self.step())
        red, green, blue, _ = self.colour_at(x, y)
        self.assertGreater(red, green + 80)
        self.assertGreater(red, blue + 80)

    def test_the_wheel_zooms_about_the_pointer(self):
        canvas = self.element("lanes")
        time = self.ask("page.view.time(page.view.width / 2 + 100)")
        span = self.span()
        self.wait_for_change("range", lambda: ActionChains(
            self.browser).scroll_from_origin(
                ScrollOrigin.from_element(canvas, 100, 0), 0, -300).perform())
        self.assertLess(self.span(), span)
        x = self.ask(f"page.view.x({time})")
        self.assertAlmostEqual(x, canvas.size["width"] / 2 + 100, delta=3)

    def test_dragging_moves_along(self):
        start = self.ask("page.view.from")
        span = self.span()
        x, _ = self.point_of(self.step())
        self.wait_for_change("range", lambda: self.move_to(
            300, 300).click_and_hold().move_by_offset(200, 0).release().perform())
        moved = self.ask("page.view.from")
        self.assertLess(moved, start)
        self.assertAlmostEqual(self.span(), span, delta=1)
        self.assertAlmostEqual(self.point_of(self.step())[0], x + 200, delta=3)

    def test_keys_zoom_and_show_all(self):
        span = self.span()
        self.wait_for_change("range", lambda: self.press("+"))
        self.assertAlmostEqual(self.span(), span / 2, delta=1)
        self.wait_for_change("range", lambda: self.press("0"))
        self.assertEqual(self.ask("page.view.from"), 0)
        self.assertEqual(self.span(), self.ask("page.run.horizon"))

    def test_arrow_keys_go_to_the_next_and_previous_step(self):
        failed = self.step()
        self.wait_for_change("position", lambda: self.press(Keys.ARROW_LEFT))
        before = self.step()
        self.assertLess(before, failed)
        self.wait_for_change("position", lambda: self.press(Keys.ARROW_LEFT))
        self.assertLess(self.step(), before)
        self.press(Keys.ARROW_RIGHT)
        self.wait(lambda: self.step() == before)

    def test_arrow_keys_with_shift_stay_with_the_node(self):
        node = self.node()
        for _ in range(5):
            self.wait_for_change(
                "position", lambda: self.press_with_shift(Keys.ARROW_LEFT))
            self.assertEqual(self.node(), node)

    def test_buttons_step_and_lead_back_to_the_violation(self):
        failed = self.step()
        self.wait_for_change(
            "position", lambda: self.element("previous").click())
        self.assertEqual(self.elements("#details .violation"), [])
        self.element("to-violation").click()
        self.wait(lambda: self.step() == failed)

    def is_first(self, step):
        """True for the first step of a node at an instant: a click selects it."""
        return self.ask(
            "page.run.at.findIndex((at, i) =>"
            f" at === page.run.at[{step - 1}] &&"
            f" page.run.host[i] === page.run.host[{step - 1}])") == step - 1

    def test_a_click_on_a_step_describes_it(self):
        self.wait_for_change("position", lambda: self.press(Keys.ARROW_LEFT))
        while not self.is_first(self.step()):
            self.wait_for_change("position",
                                 lambda: self.press(Keys.ARROW_LEFT))
        wanted = self.step()
        self.wait_for_change("position", lambda: self.press(Keys.HOME))
        self.ask(f"page.view.show(page.run.at[{wanted - 1}] - 5e5, 1e6)"
                 " || page.paint()")
        self.move_to(*self.point_of(wanted)).click().perform()
        self.wait(lambda: self.step() == wanted)
        self.assertIn("Event", self.text("details"))

    def test_a_message_links_to_its_other_end(self):
        while not self.elements("#details .message:enabled"):
            self.wait_for_change("position", lambda: self.press(Keys.ARROW_LEFT))
        here = self.step()
        self.wait_for_change("position", lambda: self.elements(
            "#details .message:enabled")[0].click())
        there = self.step()
        titles = [button.text for button in self.elements("#details .message")]
        self.assertNotEqual(there, here)
        self.assertTrue(titles)

    def test_the_dark_theme_is_dark(self):
        def ground():
            return self.ask("getComputedStyle(document.body).backgroundColor")
        light = ground()
        scheme = {"name": "prefers-color-scheme", "value": "dark"}
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [scheme]})
        self.addCleanup(self.browser.execute_cdp_cmd,
                        "Emulation.setEmulatedMedia", {"features": []})
        self.wait(lambda: ground() != light)


class FilterTest(PageTest):
    page = "failing.html"

    def test_hiding_a_node_hides_its_messages(self):
        all_drawn = self.drawn()
        chip = self.chip("node-filter", "n2")
        self.wait_for_change("shown", chip.click)
        self.assertEqual(chip.get_attribute("aria-pressed"), "false")
        self.assertLess(self.drawn(), all_drawn)
        self.assertFalse(self.ask("page.layout.laneOf.has(2)"))
        self.wait_for_change("shown", chip.click)
        self.assertEqual(self.drawn(), all_drawn)

    def test_stepping_skips_hidden_nodes(self):
        node = self.node()
        for chip in self.elements("#node-filter .chip"):
            if chip.text != node:
                chip.click()
        for _ in range(5):
            self.wait_for_change(
                "position", lambda: self.press(Keys.ARROW_LEFT))
            self.assertEqual(self.node(), node)

    def test_a_hidden_lock_has_no_row(self):
        rows = self.ask("page.layout.locks.map((row) => row.key)")
        self.chip("lock-filter", rows[0]).click()
        self.wait(lambda: self.ask(
            "page.layout.locks.map((row) => row.key)") == rows[1:])

    def test_kinds_are_hidden_one_by_one_or_by_family(self):
        self.element("kinds").click()
        all_kinds = self.text("kinds-shown")
        self.wait_for_change(
            "shown", self.chip("kind-filter", "Append").click)
        self.assertNotEqual(self.text("kinds-shown"), all_kinds)
        for family in self.elements("#kind-filter .family"):
            family.click()
        self.wait(lambda: self.drawn() == 0)
        for family in self.elements("#kind-filter .family"):
            family.click()
        self.wait(lambda: self.text("kinds-shown") == all_kinds)


class PassingPageTest(PageTest):
    page = "passing.html"

    def test_the_first_screen_shows_the_whole_run(self):
        self.assertEqual(self.text("verdict"), "passed")
        self.assertEqual(self.text("title"), "Seed 2")
        self.assertFalse(self.element("to-violation").is_displayed())
        self.assertEqual(self.span(), self.ask("page.view.all"))
        self.assertIn("machines", self.text("figures"))
        self.assertRegex(self.text("story"), r"n\d leads, term \d")

    def test_a_line_of_the_story_links_to_its_step(self):
        item = next(button for button in self.elements("#story button")
                    if "leads" in button.text)
        self.wait_for_change("range", item.click)
        decisions = self.elements("#details .decision")
        self.assertTrue(any("leader of term" in decision.text
                            for decision in decisions))

    def test_home_and_end_go_to_the_first_and_last_step(self):
        self.wait_for_change("position", lambda: self.press(Keys.HOME))
        first = self.step()
        self.assertTrue(self.ask("document.getElementById('previous').disabled"))
        self.wait_for_change("position", lambda: self.press(Keys.END))
        self.assertGreater(self.step(), first)
        self.assertTrue(self.ask("document.getElementById('next').disabled"))

    def test_escape_deselects_the_step(self):
        self.wait_for_change("position", lambda: self.press(Keys.HOME))
        self.press(Keys.ESCAPE)
        self.wait(lambda: self.text("position").endswith("steps"))

    def test_it_says_if_not_all_messages_are_drawn(self):
        self.assertRegex(self.text("shown"), "messages are drawn; zoom in for")
        for _ in range(8):
            self.press("+")
        self.wait(lambda: "zoom in" not in self.text("shown"))

    def test_a_click_in_the_overview_moves_the_view(self):
        for _ in range(4):
            self.press("+")
        overview = self.element("overview")
        self.wait_for_change("range", lambda: ActionChains(
            self.browser).move_to_element_with_offset(
                overview, overview.size["width"] // 2 - 40, 0).click().perform())
        self.assertGreater(
            self.ask("page.view.from"), self.ask("page.view.all") / 2)


class ContestedPageTest(PageTest):
    page = "contested.html"

    def row(self, part):
        return self.ask("page.layout.locks[0]." + part)

    def test_two_beliefs_in_one_lock_are_named_and_ringed(self):
        self.assertIn(
            "n1 and n2 both believe to hold door", self.text("story"))
        self.assertEqual(
            self.row("contested"),
            [{"begin": 5e8, "end": 1e9, "hosts": [1, 2]}])
        x = self.ask("Math.round(page.view.x(7.5e8))")
        red, green, blue, _ = self.colour_at(
            x, self.row("y") + self.row("beliefTop") - 1)
        self.assertGreater(red, green + 80)
        self.assertGreater(red, blue + 80)

    def test_pointing_at_a_belief_names_its_holder(self):
        x = self.ask("page.view.x(2.5e8)")
        self.move_to(x, self.row("y") + self.row("beliefTop") + 4).perform()
        self.wait(lambda: self.element("hint").is_displayed())
        self.assertIn("door: n1 believes for 1.00 s", self.text("hint"))


class HostilePageTest(PageTest):
    page = "hostile.html"

    def test_keys_with_markup_are_shown_as_text(self):
        self.assertEqual(self.browser.title, "<b>Hostile</b>: passed")
        self.assertEqual(self.text("title"), "<b>Hostile</b>")
        self.assertEqual(self.elements("img, b"), [])
        self.assertEqual(len(self.elements("script")), 2)
        keys = [chip.get_attribute("title")
                for chip in self.elements("#lock-filter .chip")]
        self.assertEqual(len(keys), 3)
        self.assertIn(
            "</script><script>document.title='broken'</script>", keys)

    def test_details_are_shown_as_text(self):
        self.wait_for_change("position", lambda: self.press(Keys.HOME))
        seen = ""
        while self.element("next").is_enabled():
            seen += self.text("details")
            self.wait_for_change(
                "position", lambda: self.press(Keys.ARROW_RIGHT))
        seen += self.text("details")
        self.assertIn("<img src=x onerror=", seen)
        self.assertEqual(self.elements("img"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
