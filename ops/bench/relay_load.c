/*
 * Load for a relay, the same whatever relays: pairs of UDP peers on loopback that send at a pace, and what of it arrives.
 *
 *   relay_load raw  PORT PAIRS PACKETS_PER_SECOND SECONDS BYTES BURST   (PORT unused; the ports of each pair on standard input)
 *   relay_load turn PORT PAIRS PACKETS_PER_SECOND SECONDS BYTES BURST   (one TURN allocation a pair, its channel bound; RFC 8656)
 *
 * Prints "ready", waits for a line, sends, and prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS_MAX = 512, PACKET_MAX = 1500, BATCH = 16, LATENCY_MAX = 1 << 21, HEADER = 4 };

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static int udp(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  struct sockaddr_in a = loopback(0);
  if (bind(fd, (void *)&a, sizeof a)) die("bind");
  int big = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
  return fd;
}

static int port_of(int fd) {
  struct sockaddr_in a;
  socklen_t length = sizeof a;
  if (getsockname(fd, (void *)&a, &length)) die("getsockname");
  return ntohs(a.sin_port);
}

static void join(int fd, int port) {
  struct sockaddr_in a = loopback(port);
  if (connect(fd, (void *)&a, sizeof a)) die("connect");
}

// One TURN request on a connected socket; the answer must be a success.
static ssize_t ask(int fd, const uint8_t *request, size_t length, uint8_t *answer) {
  for (int attempt = 0; attempt < 20; attempt++) {
    if (send(fd, request, length, 0) < 0) { usleep(100000); continue; }
    for (int wait = 0; wait < 200; wait++) {
      ssize_t got = recv(fd, answer, PACKET_MAX, 0);
      if (got >= 20 && !memcmp(answer + 8, request + 8, 12)) {
        if ((answer[0] & 1) && !(answer[1] & 0x10)) return got;
        fprintf(stderr, "TURN error %02x%02x\n", answer[0], answer[1]);
        exit(1);
      }
      usleep(1000);
    }
  }
  fprintf(stderr, "TURN server does not answer\n");
  exit(1);
}

static size_t stun(uint8_t *out, int type, int length) {
  static uint32_t serial;
  memset(out, 0, 20);
  out[0] = (uint8_t)(type >> 8); out[1] = (uint8_t)type; out[3] = (uint8_t)length;
  memcpy(out + 4, "\x21\x12\xa4\x42", 4);
  serial++;
  memcpy(out + 8, &serial, 4);
  return 20;
}

// Allocates, binds channel 0x4000 to the peer, and returns the relayed port (RFC 8656, 7 and 12).
static int allocate(int fd, int peer_port) {
  uint8_t request[128], answer[PACKET_MAX];
  size_t at = stun(request, 0x0003, 8);
  memcpy(request + at, "\x00\x19\x00\x04\x11\x00\x00\x00", 8);
  ssize_t length = ask(fd, request, at + 8, answer);
  int relayed = 0;
  for (ssize_t i = 20; i + 8 <= length;) {
    int type = answer[i] << 8 | answer[i + 1], size = answer[i + 2] << 8 | answer[i + 3];
    if (type == 0x0016) relayed = (answer[i + 6] << 8 | answer[i + 7]) ^ 0x2112;
    i += 4 + ((size + 3) & ~3);
  }
  at = stun(request, 0x0009, 8 + 12);
  memcpy(request + at, "\x00\x0c\x00\x04\x40\x00\x00\x00", 8);
  uint8_t peer[12] = {0, 0x12, 0, 8, 0, 1};
  int x = peer_port ^ 0x2112;
  peer[6] = (uint8_t)(x >> 8); peer[7] = (uint8_t)x;
  peer[8] = 127 ^ 0x21; peer[9] = 0x12; peer[10] = 0xa4; peer[11] = 1 ^ 0x42;
  memcpy(request + at + 8, peer, 12);
  ask(fd, request, at + 20, answer);
  return relayed;
}

static int fds[2 * SESSIONS_MAX], prefix[2 * SESSIONS_MAX];
static uint64_t received, sent, refused;
static uint32_t *latency;
static uint64_t latency_count;

static void drain(int index) {
  static uint8_t buffers[BATCH][PACKET_MAX];
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){buffers[i], PACKET_MAX};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (;;) {
    int count = recvmmsg(fds[index], messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) return;
    uint64_t now = now_ns();
    for (int i = 0; i < count; i++) {
      uint64_t at;
      const uint8_t *payload = buffers[i] + prefix[index];
      memcpy(&at, payload + 24, 8);
      if (at == 0) continue;
      received++;
      if (latency_count < LATENCY_MAX) latency[latency_count++] = (uint32_t)((now - at) / 1000);
    }
    if (count < BATCH) return;
  }
}

static void collect(int epoll, int wait_ms) {
  struct epoll_event events[128];
  int count = epoll_wait(epoll, events, 128, wait_ms);
  for (int i = 0; i < count; i++) drain((int)events[i].data.u32);
}

static uint8_t packet[HEADER + PACKET_MAX];

// A QUIC packet by its invariants (RFC 8999): long header with both ids first, then short ones.
static void shape(int index, int is_first, int bytes) {
  memset(packet, 0, sizeof packet);
  packet[0] = 0x40; packet[2] = (uint8_t)(bytes >> 8); packet[3] = (uint8_t)bytes;
  uint8_t *p = packet + HEADER;
  p[0] = is_first ? 0xc0 : 0x40;
  if (is_first) { p[4] = 1; p[5] = 8; p[6] = (uint8_t)index; p[14] = 8; p[15] = (uint8_t)index; p[16] = 1; }
  else { p[1] = (uint8_t)(index ^ 1); p[2] = 1; }
}

static void push(int index, int count, int bytes) {
  struct iovec part = {packet + HEADER - prefix[index], (size_t)(bytes + prefix[index])};
  struct mmsghdr messages[64];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < count; i++) { messages[i].msg_hdr.msg_iov = &part; messages[i].msg_hdr.msg_iovlen = 1; }
  int done = sendmmsg(fds[index], messages, (unsigned)count, 0);
  sent += (uint64_t)count;
  if (done < count) refused += (uint64_t)(count - (done < 0 ? 0 : done));
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void sleep_until(uint64_t at) {
  struct timespec t = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(int argc, char **argv) {
  if (argc != 8) { fprintf(stderr, "usage: relay_load raw|turn PORT SESSIONS PER_SECOND SECONDS BYTES BURST\n"); return 2; }
  int is_turn = !strcmp(argv[1], "turn"), port = atoi(argv[2]), sessions = atoi(argv[3]);
  double per_second = atof(argv[4]), seconds = atof(argv[5]);
  int bytes = atoi(argv[6]), burst = atoi(argv[7]);
  if (sessions > SESSIONS_MAX || burst > 64 || bytes > PACKET_MAX || bytes < 40) return 2;
  prctl(PR_SET_TIMERSLACK, 1);
  latency = malloc(LATENCY_MAX * sizeof *latency);
  int epoll = epoll_create1(0);
  for (int i = 0; i < 2 * sessions; i++) {
    fds[i] = udp();
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &e)) die("epoll_ctl");
  }
  for (int i = 0; i < sessions; i++) {
    int a = 0, b = 0;
    if (is_turn) {
      join(fds[2 * i], port);
      b = allocate(fds[2 * i], port_of(fds[2 * i + 1]));
      prefix[2 * i] = HEADER;
    } else {
      if (scanf("%d %d", &a, &b) != 2) die("port pair");
      join(fds[2 * i], a);
    }
    join(fds[2 * i + 1], b);
  }
  for (int i = 0; i < 2 * sessions; i++) { shape(i, 1, bytes); push(i, 1, bytes); usleep(1000); }
  for (int i = 0; i < 200; i++) collect(epoll, 1);
  sent = received = refused = latency_count = 0;
  printf("ready\n");
  fflush(stdout);
  char go;
  if (read(0, &go, 1) < 0) return 1;
  uint64_t start = now_ns(), total = (uint64_t)(per_second * seconds);
  double gap = 1e9 * burst / per_second;
  uint64_t bursts = total / (uint64_t)burst;
  for (uint64_t i = 0; i < bursts; i++) {
    uint64_t due = start + (uint64_t)(gap * (double)i);
    if (now_ns() < due) { collect(epoll, 0); if (now_ns() < due) sleep_until(due); }
    else if (i % 64 == 0) collect(epoll, 0);
    // A stride beside the count of sockets, so that both sides of a session take turns.
    int index = (int)(i % (uint64_t)(2 * sessions));
    shape(index, 0, bytes);
    uint64_t at = now_ns();
    memcpy(packet + HEADER + 24, &at, 8);
    push(index, burst, bytes);
  }
  double took = (double)(now_ns() - start) / 1e9;
  for (int i = 0; i < 300; i++) collect(epoll, 1);
  qsort(latency, latency_count, sizeof *latency, by_value);
  printf("{\"sent\":%llu,\"received\":%llu,\"refused\":%llu,\"seconds\":%.3f,\"p50Us\":%u,\"p99Us\":%u}\n",
         (unsigned long long)sent, (unsigned long long)received, (unsigned long long)refused, took,
         latency_count ? latency[latency_count / 2] : 0, latency_count ? latency[latency_count * 99 / 100] : 0);
  return 0;
}
