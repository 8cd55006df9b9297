// Package archive is a room in one file: its log with all certificates, its state, and as much of the directory's log as is needed to check
// both. The file stands by itself: whoever holds it and knows the network's id can check all of it, on any machine, with nobody's help.
//
// [Writer] writes such a file, [Reader] reads it record by record, [Verify] runs it from the genesis on and tells what it proves. All of them
// stream: memory is taken by the state of the directory and of the room, never by the length of their histories.
//
// Everything here is a function of bytes. Where they come from and go to is the caller's matter.
package archive
