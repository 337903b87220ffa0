// Riglet is the part of the rig that is neither Kubernetes nor Ray: it makes the
// certificates, answers as the kubelet of every node, decides which pods are played
// by kwok and which are run as real processes, and provisions volumes.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{
		"run":   runMain,
		"init":  initMain,
		"pki":   pkiMain,
		"ports": portsMain,
		"token": tokenMain,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: riglet run|init|pki|ports|token ...")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "riglet %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
