import { Component, type ReactNode } from "react";

/** Shows words instead of nothing where a page breaks. */
export class Guard extends Component<{ readonly children: ReactNode }, { readonly isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override render() {
    if (!this.state.isBroken) return this.props.children;
    return (
      <div className="card stack" role="alert">
        <h1>This page broke</h1>
        <p>Nothing that was saved is lost. Reload the page; if it happens again, tell whoever runs Praxiscope here.</p>
        <p>
          <button type="button" className="button main" onClick={() => window.location.reload()}>
            Reload
          </button>
        </p>
      </div>
    );
  }
}
