// Reed-Solomon by Intel's ISA-L, for our tests to agree with and our benchmarks to stand beside. The matrix is made
// here, with ISA-L's arithmetic: Vandermonde, times the inverse of its top.
//
//   isal decode DATA PARITY BYTES PRESENT WANTED   shards of PRESENT from standard input, those of WANTED to the output
//   isal bench DATA PARITY BYTES PRESENT WANTED    for every line of input, megabytes of data a second in one round
//
// PRESENT and WANTED are numbers of shards, joined by commas; PRESENT has as many as there are data shards.
#include <isa-l/erasure_code.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHARDS_MAX = 256, ROUND_MS = 10 };

static void die(const char *why) {
  fprintf(stderr, "isal: %s\n", why);
  exit(1);
}

static unsigned char *bytes_of(size_t count) {
  // Aligned to lines of cache, and a whole number of them, as ISA-L likes it best.
  unsigned char *bytes = aligned_alloc(64, (count + 64) / 64 * 64);
  if (bytes == NULL) die("out of memory");
  memset(bytes, 0, count);
  return bytes;
}

static int numbers_of(char *text, int below, int *numbers) {
  int count = 0;
  for (char *part = strtok(text, ","); part; part = strtok(NULL, ",")) {
    int number = atoi(part);
    if (number < 0 || number >= below || count == SHARDS_MAX) die("bad number");
    numbers[count++] = number;
  }
  return count;
}

// The product of two matrices, of which the right one is square.
static unsigned char *product(const unsigned char *left, int rows,
                              const unsigned char *right, int size) {
  unsigned char *out = bytes_of((size_t)rows * size);
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < size; c++)
      for (int i = 0; i < size; i++)
        out[r * size + c] ^= gf_mul(left[r * size + i], right[i * size + c]);
  return out;
}

static unsigned char *inverse(const unsigned char *matrix, int size) {
  unsigned char *copy = bytes_of((size_t)size * size);
  unsigned char *out = bytes_of((size_t)size * size);
  memcpy(copy, matrix, (size_t)size * size);
  if (gf_invert_matrix(copy, out, size) != 0) die("no inverse");
  free(copy);
  return out;
}

static unsigned char *code_matrix(int rows, int data) {
  unsigned char *powers = bytes_of((size_t)rows * data);
  for (int r = 0; r < rows; r++) {
    unsigned char power = 1;
    for (int c = 0; c < data; c++, power = gf_mul(power, r))
      powers[r * data + c] = power;
  }
  return product(powers, rows, inverse(powers, data), data);
}

static unsigned char *rows_of(const unsigned char *matrix, int data,
                              const int *numbers, int count) {
  unsigned char *rows = bytes_of((size_t)count * data);
  for (int i = 0; i < count; i++)
    memcpy(rows + i * data, matrix + numbers[i] * data, data);
  return rows;
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int main(int count, char **words) {
  if (count != 7) die("wanted: decode|bench DATA PARITY BYTES PRESENT WANTED");
  int data = atoi(words[2]), shards = data + atoi(words[3]);
  long bytes = atol(words[4]);
  if (data < 1 || shards > SHARDS_MAX || bytes < 1) die("bad shape");
  int present[SHARDS_MAX], wanted[SHARDS_MAX];
  if (numbers_of(words[5], shards, present) != data) die("not DATA present");
  int outputs = numbers_of(words[6], shards, wanted);

  unsigned char *code = code_matrix(shards, data);
  unsigned char *matrix =
      product(rows_of(code, data, wanted, outputs), outputs,
              inverse(rows_of(code, data, present, data), data), data);
  unsigned char *tables = bytes_of((size_t)32 * data * outputs);
  ec_init_tables(data, outputs, matrix, tables);
  unsigned char *in[SHARDS_MAX], *out[SHARDS_MAX];
  for (int i = 0; i < data; i++) in[i] = bytes_of(bytes);
  for (int i = 0; i < outputs; i++) out[i] = bytes_of(bytes);

  if (strcmp(words[1], "decode") == 0) {
    for (int i = 0; i < data; i++)
      if (fread(in[i], 1, bytes, stdin) != (size_t)bytes) die("input ends");
    ec_encode_data(bytes, data, outputs, tables, in, out);
    for (int i = 0; i < outputs; i++) fwrite(out[i], 1, bytes, stdout);
    return 0;
  }
  for (int i = 0; i < data; i++)
    for (long at = 0; at < bytes; at++) in[i][at] = rand();
  while (getchar() != EOF) {
    // Once untimed: another program has had the caches since the last round.
    ec_encode_data(bytes, data, outputs, tables, in, out);
    double start_ms = now_ms(), took_ms = 0;
    int calls = 0;
    for (; took_ms < ROUND_MS; took_ms = now_ms() - start_ms, calls++)
      ec_encode_data(bytes, data, outputs, tables, in, out);
    printf("%.1f\n", (double)calls * data * bytes / took_ms / 1e3);
    fflush(stdout);
  }
  return 0;
}
