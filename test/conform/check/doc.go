// Package check reads the data directories of nodes that have stopped, and says whether they tell one and the same story: for every room one
// chain of headers from its founding, on each of them valid signatures of a quorum of the controllers that were in force, each request at most
// once, and the same on all nodes.
//
// It is a second opinion. Bytes come out of node/store, but everything else (decoding, hashes, signatures, quorums, who controls when) is done
// here again from the formats in docs/spec, without package rooms: a mistake made there must not be repeated here. So nothing of rooms may
// come in.
//
// Nodes → Network.Problems, Network.Summary.
package check
