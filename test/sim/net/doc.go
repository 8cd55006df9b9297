// Package net is the second tier of the simulation: whole nodes over real libp2p, in virtual time.
//
// A run is a world (test/world) of up to 16 nodes and 5 rooms, drawn from a seed: people with and without accounts join rooms at random, talk,
// write documents and leave; a room may tick; packets are delayed and some lost; the network falls apart once for 10 to 20 s; two nodes lose
// their power, or one and then two together, and with it what was not synced, and come back some seconds later. Then all heals, and what must hold is checked: see world.Check and Run.
//
// Unlike the first tier (test/sim itself) a run is not reproducible to the bit: the seed fixes the world, who does what when, and the faults,
// but not the order in which goroutines and packets of one instant come. A failing seed fails again with good odds, not for certain.
//
// Read in this order: plan.go, crowd.go, clock.go, run.go.
package net
