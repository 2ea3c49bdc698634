// SPDX-License-Identifier: Apache-2.0
// Physical quantities as types. Mixing dimensions does not compile; at run time a Quantity is one double.
//
// A value is entered and left by naming its unit, never as a bare number:
//     Bandwidth hbm = 3.35 * unit::TB / unit::s;      double milliseconds = t.in(unit::ms);
#pragma once

namespace fareline {

// Exponents of the base dimensions: bytes, floating-point operations, seconds, joules, US dollars, tokens.
struct Dim {
  int data = 0, flop = 0, time = 0, energy = 0, money = 0, token = 0;
  bool operator==(const Dim&) const = default;
  friend constexpr Dim operator+(Dim a, Dim b) {
    return {a.data + b.data, a.flop + b.flop, a.time + b.time, a.energy + b.energy, a.money + b.money, a.token + b.token};
  }
  friend constexpr Dim operator-(Dim a) { return {-a.data, -a.flop, -a.time, -a.energy, -a.money, -a.token}; }
  friend constexpr Dim operator*(Dim a, int n) {
    return {a.data * n, a.flop * n, a.time * n, a.energy * n, a.money * n, a.token * n};
  }
};

template <Dim D>
class Quantity {
 public:
  static constexpr Dim dim = D;
  constexpr Quantity() = default;  // zero
  static constexpr Quantity from_coherent(double value) { return Quantity(value); }
  constexpr double coherent() const { return value_; }
  constexpr double in(Quantity unit) const { return value_ / unit.value_; }

  constexpr Quantity& operator+=(Quantity b) { value_ += b.value_; return *this; }
  constexpr Quantity& operator-=(Quantity b) { value_ -= b.value_; return *this; }
  constexpr Quantity& operator*=(double k) { value_ *= k; return *this; }
  constexpr Quantity& operator/=(double k) { value_ /= k; return *this; }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.value_ + b.value_); }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.value_ - b.value_); }
  friend constexpr Quantity operator*(double k, Quantity q) { return Quantity(k * q.value_); }
  friend constexpr Quantity operator*(Quantity q, double k) { return Quantity(k * q.value_); }
  friend constexpr Quantity operator/(Quantity q, double k) { return Quantity(q.value_ / k); }
  // Written out: g++ 12 compiles a defaulted <=> on double to three extra branches.
  friend constexpr bool operator==(Quantity a, Quantity b) { return a.value_ == b.value_; }
  friend constexpr bool operator<(Quantity a, Quantity b) { return a.value_ < b.value_; }
  friend constexpr bool operator>(Quantity a, Quantity b) { return a.value_ > b.value_; }
  friend constexpr bool operator<=(Quantity a, Quantity b) { return a.value_ <= b.value_; }
  friend constexpr bool operator>=(Quantity a, Quantity b) { return a.value_ >= b.value_; }

 private:
  explicit constexpr Quantity(double value) : value_(value) {}
  double value_ = 0;
};

// A dimensionless result is a plain double.
template <Dim D>
constexpr auto quantity(double value) {
  if constexpr (D == Dim{}) return value;
  else return Quantity<D>::from_coherent(value);
}
template <Dim A, Dim C>
constexpr auto operator*(Quantity<A> a, Quantity<C> b) { return quantity<A + C>(a.coherent() * b.coherent()); }
template <Dim A, Dim C>
constexpr auto operator/(Quantity<A> a, Quantity<C> b) { return quantity<A + -C>(a.coherent() / b.coherent()); }
template <Dim D>
constexpr auto operator/(double k, Quantity<D> q) { return quantity<-D>(k / q.coherent()); }

template <Dim D>
constexpr Quantity<D> max(Quantity<D> a, Quantity<D> b) { return a < b ? b : a; }
template <Dim D>
constexpr Quantity<D> min(Quantity<D> a, Quantity<D> b) { return b < a ? b : a; }

using Bytes         = Quantity<Dim{.data = 1}>;
using Flops         = Quantity<Dim{.flop = 1}>;
using Seconds       = Quantity<Dim{.time = 1}>;
using Joules        = Quantity<Dim{.energy = 1}>;
using Dollars       = Quantity<Dim{.money = 1}>;
using Tokens        = Quantity<Dim{.token = 1}>;
using Bandwidth     = Quantity<Dim{.data = 1, .time = -1}>;
using FlopRate      = Quantity<Dim{.flop = 1, .time = -1}>;
using Watts         = Quantity<Dim{.time = -1, .energy = 1}>;
using Frequency     = Quantity<Dim{.time = -1}>;  // requests per second
using TokenRate     = Quantity<Dim{.time = -1, .token = 1}>;
using MoneyRate     = Quantity<Dim{.time = -1, .money = 1}>;              // rental of a chip
using TokenPrice    = Quantity<Dim{.money = 1, .token = -1}>;             // API price
using EnergyPrice   = Quantity<Dim{.energy = -1, .money = 1}>;            // electricity
using StoragePrice  = Quantity<Dim{.data = -1, .time = -1, .money = 1}>;  // renting memory
using BytesPerToken = Quantity<Dim{.data = 1, .token = -1}>;

namespace unit {
inline constexpr Bytes B = Bytes::from_coherent(1), kB = 1e3 * B, MB = 1e6 * B, GB = 1e9 * B, TB = 1e12 * B, PB = 1e15 * B,
                       KiB = 0x1p10 * B, MiB = 0x1p20 * B, GiB = 0x1p30 * B, TiB = 0x1p40 * B;
inline constexpr Flops flop = Flops::from_coherent(1), GFLOP = 1e9 * flop, TFLOP = 1e12 * flop, PFLOP = 1e15 * flop;
inline constexpr Seconds s = Seconds::from_coherent(1), ms = 1e-3 * s, us = 1e-6 * s, ns = 1e-9 * s, minute = 60.0 * s,
                         hour = 3600.0 * s, day = 86400.0 * s, month = 730.0 * hour, year = 8760.0 * hour;
inline constexpr Joules J = Joules::from_coherent(1), kWh = 3.6e6 * J;
inline constexpr Watts W = J / s, kW = 1e3 * W;
inline constexpr Dollars usd = Dollars::from_coherent(1);
inline constexpr Tokens token = Tokens::from_coherent(1), Mtok = 1e6 * token;
}  // namespace unit

}  // namespace fareline
