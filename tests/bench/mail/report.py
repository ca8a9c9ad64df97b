"""Tables in Markdown: one for a metric, a column for each host."""
import os
import statistics


class Report:
    def __init__(self, also_to=None):
        self.also_to = also_to

    def say(self, line):
        print(line, flush=True)
        if self.also_to:
            with open(self.also_to, "a") as f:
                f.write(line + "\n")

    def table(self, metric, runs, seconds, names, figures):
        """figures: {row: {host: [a value of each run]}}"""
        load = os.getloadavg()[0]
        self.say(f"\n### {metric}  ({runs} run{'s' if runs > 1 else ''}, {seconds:.0f} s, "
                 f"load average {load:.1f}, median [min..max])\n")
        self.say("| | " + " | ".join(names) + " |")
        self.say("|---|" + "---|" * len(names))
        for row, by_host in figures.items():
            self.say(f"| {row} | " + " | ".join(cell(by_host.get(name, [])) for name in names) + " |")


def cell(values):
    if None in values or len(values) < 2:
        return " / ".join(map(figure, values))
    return f"{figure(statistics.median(values))} [{figure(min(values))}..{figure(max(values))}]"


def figure(value):
    if value is None:
        return "timeout"
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
