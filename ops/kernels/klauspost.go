// Reed-Solomon by github.com/klauspost/reedsolomon, for our tests to agree with.
//
//	klauspost decode DATA PARITY BYTES PRESENT WANTED
//
// reads the shards of PRESENT from standard input and writes those of WANTED to standard output. PRESENT and WANTED are
// numbers of shards, joined by commas.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/reedsolomon"
)

func main() {
	if err := decode(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "klauspost:", err)
		os.Exit(1)
	}
}

func decode(words []string) error {
	if len(words) != 6 || words[0] != "decode" {
		return fmt.Errorf("wanted: decode DATA PARITY BYTES PRESENT WANTED")
	}
	var lists [5][]int
	for i, word := range words[1:] {
		for _, part := range strings.Split(word, ",") {
			number, err := strconv.Atoi(part)
			if err != nil {
				return err
			}
			lists[i] = append(lists[i], number)
		}
	}
	data, parity, bytes := lists[0][0], lists[1][0], lists[2][0]
	coder, err := reedsolomon.New(data, parity)
	if err != nil {
		return err
	}
	shards := make([][]byte, data+parity)
	for _, number := range lists[3] {
		shards[number] = make([]byte, bytes)
		if _, err := io.ReadFull(os.Stdin, shards[number]); err != nil {
			return err
		}
	}
	if err := coder.Reconstruct(shards); err != nil {
		return err
	}
	for _, number := range lists[4] {
		if _, err := os.Stdout.Write(shards[number]); err != nil {
			return err
		}
	}
	return nil
}
