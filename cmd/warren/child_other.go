//go:build unix && !linux

package main

import "syscall"

// childAttr keeps a terminal's Ctrl-C from a node of the demo: the demo stops its nodes.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
