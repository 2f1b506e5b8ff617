/*
 * An emulated AVR whose serial port is a pseudo terminal: to a program that opens it, an Arduino on a cable.
 *
 *     run_avr CHIP SKETCH.elf [MILLIVOLT ...]
 *
 * Prints the pseudo terminal's path as its first line, runs until SIGTERM, SIGINT or the end of its standard input, and
 * then prints one line of JSON, what happened (see `struct account`). The millivolts lie on the analogue inputs, from A0 on.
 *
 * simavr brings such a part, uart_pty, but that one loses bytes when the terminal is full, and keeps no pace. Here:
 *
 * - The chip runs at 16 MHz of real time, a millisecond at a time. Where the machine cannot keep up, or pauses for more
 *   than a tenth of a second, the chip's time falls behind and does not hurry to catch up, lest its ring run over for no
 *   fault of the server's. How much was missed is in the account.
 * - A byte to the chip comes no sooner than the baud rate allows, and is lost, as on the chip, if three others wait there.
 * - Bytes from the chip are never lost while the port is open. When its reader pauses for so long that 64 KiB wait, which is
 *   what a kernel's driver holds, the chip's time stands still.
 * - Opening the port resets the chip (DTR), and the boot loader then takes its second. Nobody hears what is sent while the
 *   port is closed.
 * - simavr counts eleven bits to a byte at 8N1; it is told ten.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "avr_adc.h"
#include "avr_uart.h"
#include "sim_avr.h"
#include "sim_elf.h"
#include "sim_io.h"
#include "sim_irq.h"

DEFINE_FIFO(uint16_t, uart_fifo);

enum {
	CHIP_HZ = 16000000,
	SLICE_CYCLES = CHIP_HZ / 1000,
	BITS_PER_BYTE = 10, /* start, eight, stop */
	RECEIVER_BYTES = 3, /* two in the chip's buffer, one in its shift register */
	DRIVER_BYTES = 1 << 16,
	BOOT_MS = 1000,
	MAX_CHANNELS = 8,
};

#define NS_PER_S UINT64_C(1000000000)
#define MAX_LAG_NS UINT64_C(100000000) /* more than this is not caught up with */

struct account {
	uint64_t sent_bytes;      /* by the chip, with the port open */
	uint64_t unheard_bytes;   /* by the chip, with the port closed */
	uint64_t received_bytes;  /* that reached the chip */
	uint64_t overrun_bytes;   /* that the chip was too slow to take */
	uint64_t lag_ns;          /* real time that the chip missed, because the machine was too slow or paused */
	uint64_t held_ns;         /* the same, because nobody read what the chip had sent */
	uint64_t boot_bytes;      /* for the chip, swallowed by its boot loader */
	uint64_t resets;          /* the port was opened */
};

struct board {
	avr_t * avr;
	avr_uart_t * uart;
	avr_irq_t * receive;
	int port;
	bool is_open;
	bool is_feeding;
	uint64_t epoch_ns; /* when cycle 0 was, or would have been at an even pace */
	uint64_t booted_ns;
	uint8_t out[2 * DRIVER_BYTES];
	size_t out_length;
	uint8_t in[256];
	size_t in_length, in_done;
	struct account account;
};

static volatile sig_atomic_t is_over = 0;
static FILE * said; /* our standard output: simavr itself talks on that one, and is sent to the standard error */

static void end(int number)
{
	(void)number;
	is_over = 1;
}

static void fail(const char * what)
{
	fprintf(stderr, "run_avr: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static uint64_t ns_of(avr_cycle_count_t cycles)
{
	return cycles * (NS_PER_S / 1000000) / (CHIP_HZ / 1000000);
}

/* ---- the serial line ------------------------------------------------------------------------------------------------ */

static void byte_sent(struct avr_irq_t * irq, uint32_t value, void * param)
{
	(void)irq;
	struct board * board = param;
	if (!board->is_open) {
		board->account.unheard_bytes++;
	} else if (board->out_length < sizeof board->out) { /* always: a slice sends a hundred bytes, beyond DRIVER_BYTES none runs */
		board->out[board->out_length++] = value;
		board->account.sent_bytes++;
	}
}

static void rate_written(struct avr_t * avr, avr_io_addr_t address, uint8_t value, void * param)
{
	(void)address, (void)value;
	avr_uart_t * uart = ((struct board *)param)->uart;
	uint32_t divisor = (avr_regbit_get(avr, uart->ubrrl) | avr_regbit_get(avr, uart->ubrrh) << 8) + 1;
	uart->cycles_per_byte = divisor * (avr_regbit_get(avr, uart->u2x) ? 8 : 16) * BITS_PER_BYTE;
}

/* One byte's time after the one before. */
static avr_cycle_count_t feed(struct avr_t * avr, avr_cycle_count_t when, void * param)
{
	(void)avr;
	struct board * board = param;
	if (board->in_done == board->in_length) {
		board->is_feeding = false;
		return 0;
	}
	uint8_t byte = board->in[board->in_done++];
	if (uart_fifo_get_read_size(&board->uart->input) >= RECEIVER_BYTES) {
		board->account.overrun_bytes++;
	} else {
		board->account.received_bytes++;
		avr_raise_irq(board->receive, byte);
	}
	return when + board->uart->cycles_per_byte;
}

static avr_uart_t * find_uart(avr_t * avr)
{
	for (avr_io_t * io = avr->io_port; io; io = io->next)
		if (!strcmp(io->kind, "uart") && ((avr_uart_t *)io)->name == '0')
			return (avr_uart_t *)io;
	fprintf(stderr, "run_avr: this chip has no serial port 0.\n");
	exit(1);
}

/* ---- the pseudo terminal -------------------------------------------------------------------------------------------- */

static void make_raw(int port)
{
	struct termios settings;
	if (tcgetattr(port, &settings) < 0)
		fail("tcgetattr");
	cfmakeraw(&settings);
	if (tcsetattr(port, TCSANOW, &settings) < 0)
		fail("tcsetattr");
}

static int open_port(void)
{
	int port, other_end;
	char path[64];
	if (openpty(&port, &other_end, path, NULL, NULL) < 0)
		fail("openpty");
	make_raw(other_end);
	/* Once it has been open, the terminal says whether somebody has it open. */
	close(other_end);
	fcntl(port, F_SETFL, O_NONBLOCK);
	fprintf(said, "%s\n", path);
	fflush(said);
	return port;
}

static void reset(struct board * board, uint64_t at_ns)
{
	avr_reset(board->avr);
	/* simavr forgets the pins, but not what it told them last, and so would not tell them of their pull-ups again. */
	for (avr_io_t * io = board->avr->io_port; io; io = io->next)
		if (!strcmp(io->kind, "port"))
			for (int pin = 0; pin < 8; pin++)
				io->irq[pin].value = 0;
	board->in_length = board->in_done = board->out_length = 0;
	board->is_feeding = false;
	board->booted_ns = at_ns + BOOT_MS * UINT64_C(1000000);
	board->epoch_ns = board->booted_ns - ns_of(board->avr->cycle);
	board->account.resets++;
}

static void look_at_port(struct board * board, short events)
{
	bool is_open = !(events & POLLHUP);
	if (is_open && !board->is_open) {
		make_raw(board->port); /* closing may have brought back the echo */
		reset(board, now_ns());
	}
	board->is_open = is_open;
	if (!is_open)
		board->out_length = 0;
}

static void write_port(struct board * board)
{
	if (board->out_length == 0)
		return;
	ssize_t written = write(board->port, board->out, board->out_length);
	if (written <= 0)
		return; /* full, or closed: the next poll tells */
	board->out_length -= written;
	memmove(board->out, board->out + written, board->out_length);
}

static void read_port(struct board * board)
{
	if (board->in_done < board->in_length)
		return;
	ssize_t length = read(board->port, board->in, sizeof board->in);
	if (length <= 0)
		return;
	if (now_ns() < board->booted_ns) {
		board->account.boot_bytes += length;
		return;
	}
	board->in_length = length;
	board->in_done = 0;
	if (!board->is_feeding) {
		board->is_feeding = true;
		avr_cycle_timer_register(board->avr, board->uart->cycles_per_byte, feed, board);
	}
}

/* ---- time ----------------------------------------------------------------------------------------------------------- */

/* Run a slice that is due; return whether there was one. */
static bool run_slice(struct board * board)
{
	uint64_t now = now_ns(), due = board->epoch_ns + ns_of(board->avr->cycle);
	bool is_held = board->out_length >= DRIVER_BYTES;
	if (now < due)
		return false;
	if (is_held || now - due > MAX_LAG_NS) {
		*(is_held ? &board->account.held_ns : &board->account.lag_ns) += now - due;
		board->epoch_ns += now - due;
	}
	if (is_held)
		return false;
	avr_cycle_count_t until = board->avr->cycle + SLICE_CYCLES;
	while (board->avr->cycle < until) {
		int state = avr_run(board->avr);
		if (state == cpu_Done || state == cpu_Crashed) {
			fprintf(stderr, "run_avr: the program on the chip has ended.\n");
			exit(1);
		}
	}
	return true;
}

static void sleep_with_chip(avr_t * avr, avr_cycle_count_t cycles)
{
	(void)avr, (void)cycles; /* run_slice keeps the pace */
}

static void run(struct board * board)
{
	while (!is_over) {
		struct pollfd files[] = {
			{ .fd = board->port, .events = POLLIN | (board->out_length ? POLLOUT : 0) },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};
		if (board->in_done < board->in_length)
			files[0].events &= ~POLLIN;
		if (poll(files, 2, 0) < 0 && errno != EINTR)
			fail("poll");
		char ignored[256];
		if (files[1].revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
			return;
		look_at_port(board, files[0].revents);
		if (files[0].revents & POLLOUT)
			write_port(board);
		if (files[0].revents & POLLIN)
			read_port(board);
		if (!run_slice(board)) {
			struct timespec millisecond = { .tv_nsec = 1000000 };
			nanosleep(&millisecond, NULL);
		}
	}
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static avr_t * make_chip(const char * chip, const char * path)
{
	elf_firmware_t firmware = { 0 };
	if (elf_read_firmware(path, &firmware) < 0) {
		fprintf(stderr, "run_avr: cannot read %s.\n", path);
		exit(1);
	}
	avr_t * avr = avr_make_mcu_by_name(chip);
	if (!avr) {
		fprintf(stderr, "run_avr: simavr does not know the chip %s.\n", chip);
		exit(1);
	}
	avr_init(avr);
	avr->log = LOG_ERROR;
	firmware.frequency = CHIP_HZ;
	avr_load_firmware(avr, &firmware);
	avr->vcc = avr->avcc = avr->aref = 5000;
	avr->sleep = sleep_with_chip;
	return avr;
}

static void connect(struct board * board)
{
	avr_t * avr = board->avr;
	uint32_t no_flags = 0; /* neither copy its lines to our output nor slow down who polls it */
	board->uart = find_uart(avr);
	avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags);
	avr_register_io_write(avr, board->uart->ubrrl.reg, rate_written, board);
	board->receive = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
	avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), byte_sent, board);
}

static void say_account(const struct board * board)
{
	const struct account * account = &board->account;
	fprintf(said, "{\"emulated_s\": %.3f, \"lag_s\": %.3f, \"held_s\": %.3f, \"sent_bytes\": %" PRIu64
		", \"unheard_bytes\": %" PRIu64 ", \"received_bytes\": %" PRIu64 ", \"overrun_bytes\": %" PRIu64
		", \"boot_bytes\": %" PRIu64 ", \"resets\": %" PRIu64 "}\n",
		(double)board->avr->cycle / CHIP_HZ, (double)account->lag_ns / NS_PER_S, (double)account->held_ns / NS_PER_S,
		account->sent_bytes, account->unheard_bytes, account->received_bytes, account->overrun_bytes, account->boot_bytes,
		account->resets);
}

int main(int count, char ** arguments)
{
	if (count < 3 || count > 3 + MAX_CHANNELS) {
		fprintf(stderr, "usage: run_avr CHIP SKETCH.elf [MILLIVOLT ...]\n");
		return 2;
	}
	static struct board board;
	said = fdopen(dup(STDOUT_FILENO), "w");
	if (!said || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		fail("standard output");
	struct sigaction action = { .sa_handler = end };
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	board.avr = make_chip(arguments[1], arguments[2]);
	connect(&board);
	for (int index = 3; index < count; index++)
		avr_raise_irq(avr_io_getirq(board.avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0 + index - 3), atoi(arguments[index]));
	board.port = open_port();
	board.epoch_ns = now_ns();
	run(&board);
	say_account(&board);
	return 0;
}
