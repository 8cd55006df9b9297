// Package script holds stories about the command line of warren, one file each in testdata, in the language of go-internal's testscript.
//
// Beside its usual commands there are
//
//	freeport VAR...        sets variables to ports of loopback that are free for TCP and UDP
//	occupy VAR             listens on a port until the story ends, and sets the variable to it
//	expand FROM TO         writes the file FROM to TO with its variables filled in
//	ready DIR              waits until the node with this data directory answers
//	code N PROGRAM ARGS... runs a program that must end with this exit code, and with one line on standard error if N is not 0
//
// Nothing may come in that needs clients of the protocols: that is for test/conform.
package script
