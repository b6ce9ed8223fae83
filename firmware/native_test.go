// SPDX-License-Identifier: Apache-2.0

package firmware

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var soak = flag.Duration("soak", 0, "run random commands for so long, with new seeds")

// native builds the firmware's own code for this machine, with sanitizers, against
// the simulated registers of native/, once, and returns the program.
func native(t *testing.T) string {
	t.Helper()
	path, err := nativeOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var nativeOnce = sync.OnceValues(func() (string, error) { return buildNative("native", "gcc", "address,undefined", "fuzz.c") })

// buildNative compiles the firmware with all of native/ but one file.
func buildNative(name, compiler, sanitizers, without string) (string, error) {
	var sources []string
	for _, pattern := range []string{"src/*.c", "native/*.c"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, f := range files {
			if f != filepath.Join("src", "main.c") && f != filepath.Join("native", without) {
				sources = append(sources, f)
			}
		}
	}
	program := filepath.Join(folder, name)
	args := append([]string{"-std=c11", "-O1", "-g", "-fsanitize=" + sanitizers, "-fno-sanitize-recover=all",
		"-Wall", "-Wextra", "-Wconversion", "-Werror", "-DFW_NATIVE", "-DFW_VERSION=0x01020003", "-DFW_BUILD=0xdecade01",
		"-I", "src", "-I", "native", "-I", "../regs/c", "-o", program}, sources...)
	if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", compiler, strings.Join(args, " "), err, out)
	}
	return program, nil
}

// folder is for what all tests share.
var folder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "firmware"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		return m.Run()
	}())
}

// Every operation, every refusal, allocation, take-over, self-tests and log: native/tests.c.
func TestNative(t *testing.T) {
	out, err := exec.Command(native(t), "test").CombinedOutput()
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	var text strings.Builder // of the checks that failed in the test that runs
	tests := 0
	for lines.Scan() {
		verdict, name, found := strings.Cut(lines.Text(), " ")
		if !found || (verdict != "ok" && verdict != "FAIL") {
			fmt.Fprintln(&text, lines.Text())
			continue
		}
		tests++
		t.Run(name, func(t *testing.T) {
			if verdict != "ok" {
				t.Errorf("failed:\n%s", text.String())
			}
		})
		text.Reset()
	}
	if err != nil || tests != strings.Count(readFile(t, "native/tests.c"), "    {\"") {
		t.Errorf("%d tests ran: %v\n%s", tests, err, text.String())
	}
}

// Random commands, starts and resets, each answer compared with a model: native/random.c.
func TestNativeRandom(t *testing.T) {
	program := native(t)
	run := func(seed, commands uint64) {
		if out, err := exec.Command(program, "random", fmt.Sprint(seed), fmt.Sprint(commands)).CombinedOutput(); err != nil {
			t.Fatalf("seed %d, %d commands: %v\n%s", seed, commands, err, out)
		}
	}
	if *soak > 0 {
		for end, seed := time.Now().Add(*soak), uint64(time.Now().UnixNano()); time.Now().Before(end); seed++ {
			run(seed, 1_000_000)
		}
		return
	}
	for _, line := range strings.Fields(readFile(t, "testdata/seeds")) {
		var seed uint64
		if _, err := fmt.Sscan(line, &seed); err != nil {
			t.Fatalf("testdata/seeds: %q: %v", line, err)
		}
		run(seed, 20_000)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// corpus holds inputs of the fuzzer that reach different code.
const corpus = "testdata/mailbox-corpus"

// TestCorpus replays what the fuzzer has found worth keeping, with gcc and its
// sanitizers: no fuzzer is needed for that. With -soak the fuzzer goes on from there.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(corpus + "/*")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d inputs in %s, expected are at least 10: %v", len(files), corpus, err)
	}
	out, err := exec.Command(native(t), append([]string{"input"}, files...)...).CombinedOutput()
	if err != nil || strings.Count(string(out), "ok ") != len(files) {
		t.Errorf("%v\n%s", err, out)
	}
	if *soak > 0 {
		fuzz(t, *soak)
	}
}

// fuzz runs clang's libFuzzer from the corpus. New inputs, and those that fail,
// are left in build/firmware/fuzz.
func fuzz(t *testing.T, span time.Duration) {
	if _, err := exec.LookPath("clang"); err != nil {
		t.Fatal("clang is missing; Debian's packages are clang and libclang-rt-14-dev (scripts/setup.sh soak installs them)")
	}
	program, err := buildNative("fuzz", "clang", "fuzzer,address,undefined", "main.c")
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Abs(filepath.Join("..", "build", "firmware", "fuzz"))
	if err == nil {
		err = os.MkdirAll(found, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-max_len=2048", "-print_final_stats=1", "-artifact_prefix="+found+"/crash-",
		fmt.Sprintf("-max_total_time=%d", int(span.Seconds())), found, corpus).CombinedOutput()
	text := string(out)
	if t.Log(text[max(0, len(text)-2000):]); err != nil {
		t.Errorf("the fuzzer found something: %v", err)
	}
}
