// Package storetest tests what node/store promises, and gives other packages
// stores for their tests.
//
//   - [Disk] is a disk in memory that can lose power: it keeps what was written
//     apart from what was synced. Disk.Options makes a store live on it.
//   - [Run] is the conformance suite; every way to open a store runs it.
//   - [Model] is a property test: a map beside the real thing, with crashes.
//
// # What is honest about the crash tests
//
// The log is exercised on Disk byte by byte: lost, kept, torn and reordered
// sectors, lost directory entries. What lies under the log is tested in two
// ways. On Disk it is an in-memory [store.Base] whose transactions are assumed
// to be what bbolt promises: atomic and durable when Apply returns; a crash
// during Apply keeps all of it or nothing. And the tests also run bbolt on a
// real file under a log on Disk: there a crash keeps all that bbolt wrote, as
// when a process is killed. bbolt under loss of power is bbolt's own test
// suite's business and not repeated here.
package storetest
