// Command control is what the tailnet tests need beside Tailscale's own programs: a control server that enforces a
// packet filter, and a client that can reach through a node.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"control": control, "fetch": fetch}
	var run func([]string) error
	if len(os.Args) > 1 {
		run = commands[os.Args[1]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: control control … | control fetch …")
		os.Exit(64)
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
