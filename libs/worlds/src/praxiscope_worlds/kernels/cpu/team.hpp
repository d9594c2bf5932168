// A few threads for the time of one call. Who waits looks again for some ten microseconds, as the others are mostly about to come and a sleeping core takes longer
// to wake; then it sleeps: the cores are shared with others, and a thread that goes on spinning takes what they need.
//
// Not OpenMP: whether its threads spin is a variable of the environment that is read once, when the process loads it, and its pool does not outlive a fork.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace splat {

class Team {
  public:
    explicit Team(int size) : size_(size) {}

    int size() const { return size_; }

    // Returns when all have come here.
    void wait_for_all() {
        if (size_ == 1) return;
        std::unique_lock<std::mutex> lock(mutex_);
        const int64_t turn = turn_.load(std::memory_order_relaxed);
        if (++arrived_ == size_) {
            arrived_ = 0;
            turn_.store(turn + 1, std::memory_order_release);
            all_here_.notify_all();
            return;
        }
        lock.unlock();
        for (int i = 0; i < kLooks; ++i) {
            if (turn_.load(std::memory_order_acquire) != turn) return;
            __builtin_ia32_pause();
        }
        lock.lock();
        all_here_.wait(lock, [&] { return turn_.load(std::memory_order_relaxed) != turn; });
    }

    // The part of [0, count) that is a thread's own, in whole blocks.
    void share(int64_t count, int64_t block, int i_thread, int64_t* begin, int64_t* end) const {
        const int64_t blocks = (count + block - 1) / block;
        *begin = std::min(count, blocks * i_thread / size_ * block);
        *end = std::min(count, blocks * (i_thread + 1) / size_ * block);
    }

    // Runs work(team, i_thread) on every thread, the caller's among them. Says whether it did: where the system gives no more threads, nothing is run.
    template <typename Work>
    [[nodiscard]] static bool run(int size, Work work) {
        Team team(size);
        std::vector<std::thread> others;
        try {
            others.reserve(size - 1);
            for (int i_thread = 1; i_thread < size; ++i_thread)
                others.emplace_back([&, i_thread] {
                    if (team.may_start()) work(team, i_thread);
                });
        } catch (const std::exception&) {  // std::system_error or std::bad_alloc
            team.open_gate(Gate::kClosed);
            for (std::thread& other : others) other.join();
            return false;
        }
        team.open_gate(Gate::kOpen);
        work(team, 0);
        for (std::thread& other : others) other.join();
        return true;
    }

  private:
    static constexpr int kLooks = 500;  // pauses: 10 to 25 microseconds

    enum class Gate { kWaiting, kOpen, kClosed };

    bool may_start() {
        std::unique_lock<std::mutex> lock(mutex_);
        all_here_.wait(lock, [&] { return gate_ != Gate::kWaiting; });
        return gate_ == Gate::kOpen;
    }

    void open_gate(Gate gate) {
        const std::lock_guard<std::mutex> lock(mutex_);
        gate_ = gate;
        all_here_.notify_all();
    }

    const int size_;
    Gate gate_ = Gate::kWaiting;
    int arrived_ = 0;
    std::atomic<int64_t> turn_{0};
    std::mutex mutex_;
    std::condition_variable all_here_;
};

}  // namespace splat
