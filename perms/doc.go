// Package perms decides who may do what.
//
// It is for principals (accounts, groups, guests, nodes), access control lists, inheritance along a chain of environments, and sanctions.
// It is not for rooms, requests or protocols, and it knows no clock, network, disk or goroutine: [Decide] is a pure function, so that every
// replica of a room comes to the same answer.
//
// Read in this order: [Principal], [Rights], [ACL], [Penalty], [Query], [Decide].
package perms
