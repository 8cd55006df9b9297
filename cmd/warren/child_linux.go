package main

import "syscall"

// childAttr makes a node of the demo end with the demo, however that ends, and keeps a terminal's Ctrl-C from it: the demo stops its nodes.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
