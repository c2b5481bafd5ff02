"""Print what PYNQ 4.0's own parser makes of a hand-off file, as JSON. Run with the peer's interpreter."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from pynqmetadata.frontends import Metadata  # noqa: E402
from pynqmetadata.views.runtime import RuntimeMetadataParser  # noqa: E402

parser = RuntimeMetadataParser(Metadata(input=sys.argv[1]))


def registers(entry):
    return {
        name: [register["address_offset"], sorted(register["fields"])]
        for name, register in entry["registers"].items()
    }


json.dump(
    {
        "ip_dict": {
            name: [entry["type"], entry.get("phys_addr"), entry.get("addr_range")]
            for name, entry in parser.ip_dict.items()
        },
        "registers": {
            name: registers(entry) for name, entry in parser.ip_dict.items() if entry.get("registers")
        },
        "hierarchy_dict": sorted(parser.hierarchy_dict),
        "interrupt_pins": {
            name: [pin["controller"], pin["index"]] for name, pin in dict(parser.interrupt_pins).items()
        },
        "interrupt_controllers": {
            name: [controller["parent"], controller["index"]]
            for name, controller in dict(parser.interrupt_controllers).items()
        },
        "clock_dict": {
            str(name): [clock.get("enable"), clock.get("divisor0"), clock.get("divisor1")]
            for name, clock in parser.clock_dict.items()
        },
        "mem_dict": {
            name: [entry.get("phys_addr"), entry.get("addr_range")] for name, entry in parser.mem_dict.items()
        },
    },
    sys.stdout,
)
